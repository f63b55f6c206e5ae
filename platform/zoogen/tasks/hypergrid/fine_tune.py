"""Training on from given policies with the trainer of the zoo."""

import torch
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.networks.stacked_mlp import MLPShape
from zoogen.tasks.base import ProgressCallback
from zoogen.tasks.hypergrid.config import PolicyTrainingConfig
from zoogen.tasks.hypergrid.environment import HypergridEnvironment
from zoogen.tasks.hypergrid.trainer import CohortTrainer
from zoogen.tasks.records import FineTuned, FineTuneSpec, RunSpec


def fine_tune_policies(
    environment: HypergridEnvironment,
    shape: MLPShape,
    config: PolicyTrainingConfig,
    spec: FineTuneSpec,
    weights: Tensor,
    device: str = "cpu",
    progress: ProgressCallback | None = None,
) -> FineTuned:
    """Train M policies on, all together.

    Objective, batch size and optimiser are the configuration's; its schedule is stretched over the iterations of
    `spec`. Every kind of start begins alike with what weights do not hold: log Z of trajectory balance at the first
    batch's estimate, the state flow of detailed and sub-trajectory balance fresh, the optimiser without moments.
    Networks of equal seed get the same random numbers and, where there are several, the same learning rate.
    `expected_reward` among the figures is that of a perfect sampler.

    Args:
        config: resolved for the structure.
        spec: what to train and when to take checkpoints.
        weights: flat weights, [M, D].

    Raises:
        ZoogenError: the weights are no finite policies of the structure, or the steps do not ascend from 1.
    """
    _check(shape, spec, weights)
    order = {seed: run for run, seed in enumerate(dict.fromkeys(spec.seeds))}
    runs = tuple(RunSpec(order[seed], seed=seed, init_seed=seed) for seed in spec.seeds)
    training = config.model_copy(update={"iterations": spec.steps[-1]})
    if spec.learning_rate is not None:
        optimiser = config.optimiser.model_copy(update={"learning_rate": spec.learning_rate})
        training = training.model_copy(update={"optimiser": optimiser})
    trainer = CohortTrainer(environment, shape, training, runs, device, weights, estimate_log_z=True, observe=True)
    trained = trainer.train(progress, spec.steps)
    expected = torch.full_like(trained.figures["reward"], environment.expected_reward)
    figures = {**trained.figures, "expected_reward": expected}
    return FineTuned(trained.steps, trained.weights, figures, trained.seconds)


def _check(shape: MLPShape, spec: FineTuneSpec, weights: Tensor) -> None:
    expected = [len(spec.seeds), shape.layout.size]
    if list(weights.shape) != expected or not expected[0]:
        raise ZoogenError(
            f"cannot train on from weights of shape {list(weights.shape)}: structure {spec.structure} with "
            f"{len(spec.seeds)} seeds needs {expected}, at least one network of hidden width {shape.hidden}"
        )
    if not bool(torch.isfinite(weights).all()):
        raise ZoogenError("cannot train on from weights that are not finite; drop those networks")
    steps = spec.steps
    if not steps or steps[0] < 1 or any(b <= a for a, b in zip(steps, steps[1:], strict=False)):
        raise ZoogenError(f"checkpoints after iterations {list(steps)}: they must ascend from 1 and be at least one")
