"""torch's optimisers by configuration, and the learning rate over a phase."""

from collections.abc import Iterable

from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer

from zoogen.schedules import schedule_factor
from zoogen.tasks.images.config import ClassifierOptimiserConfig


def build_optimiser(config: ClassifierOptimiserConfig, parameters: Iterable[Tensor]) -> Optimizer:
    """torch's optimiser of the configured kind.

    All kinds are element-wise, so parameters may as well be stacks [M, ...] of M networks.
    """
    parameters, rate = list(parameters), config.learning_rate
    if config.kind == "sgd":
        return SGD(parameters, rate, momentum=config.momentum, weight_decay=config.weight_decay, fused=True)
    kind = AdamW if config.kind == "adamw" else Adam
    return kind(parameters, rate, betas=config.betas, weight_decay=config.weight_decay, fused=True)


def set_rate(optimiser: Optimizer, config: ClassifierOptimiserConfig, iteration: int, iterations: int) -> None:
    """Give the optimiser the learning rate of an iteration."""
    for group in optimiser.param_groups:
        group["lr"] = config.learning_rate * schedule_factor(config.schedule, iteration / iterations)
