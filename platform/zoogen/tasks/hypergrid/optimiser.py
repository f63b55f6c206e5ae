"""SGD, Adam and AdamW over stacked parameters with a learning rate for each model."""

import math
from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from zoogen.config import Config

Fraction = Annotated[float, Field(ge=0, lt=1)]


class OptimiserConfig(Config):
    """Optimiser and learning-rate schedule of a policy.

    Attributes:
        kind: `adamw` decouples `weight_decay` from the gradient, the others add it to the gradient.
        learning_rate: of policies and state flows; several values go to the runs in turn.
        log_z_learning_rate: of log Z (trajectory balance).
        schedule: factor on both rates, from 1 at the first iteration to `final_factor` after the last.
    """

    kind: Literal["sgd", "adam", "adamw"] = "adam"
    learning_rate: float | tuple[float, ...] = 3e-3
    log_z_learning_rate: float = Field(default=0.1, gt=0)
    momentum: float = Field(default=0.0, ge=0, lt=1)
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    eps: float = Field(default=1e-8, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    schedule: Literal["constant", "linear", "cosine"] = "linear"
    final_factor: float = Field(default=0.0, ge=0, le=1)

    @model_validator(mode="after")
    def _positive_rates(self) -> "OptimiserConfig":
        if not self.rates or min(self.rates) <= 0:
            raise ValueError("learning_rate needs positive values")
        return self

    @property
    def rates(self) -> tuple[float, ...]:
        return self.learning_rate if isinstance(self.learning_rate, tuple) else (self.learning_rate,)

    def factor(self, iteration: int, iterations: int) -> float:
        """Schedule's factor at `iteration` (0 … iterations − 1)."""
        done = iteration / iterations
        shape = {"constant": 1.0, "linear": 1 - done, "cosine": 0.5 * (1 + math.cos(math.pi * done))}[self.schedule]
        return self.final_factor + (1 - self.final_factor) * shape


class StackedOptimiser:
    """Updates a tensor [M, …] in place from its gradient; PyTorch's update rules, per-model rates [M]."""

    def __init__(self, config: OptimiserConfig, parameters: Tensor, rates: Tensor) -> None:
        self.config, self.parameters = config, parameters
        self._rates = rates.view(-1, *[1] * (parameters.ndim - 1)).to(parameters)
        self._first = torch.zeros_like(parameters)  # momentum buffer or first moment
        self._second = torch.zeros_like(parameters) if config.kind != "sgd" else parameters.new_empty(0)
        self._scratch = torch.empty_like(parameters)
        self._step = 0

    def step(self, gradient: Tensor, factor: float) -> None:
        """One update; `gradient` like the parameters, `factor` of the schedule."""
        config, self._step = self.config, self._step + 1
        rates = self._rates * factor
        if config.weight_decay and config.kind == "adamw":
            self.parameters.mul_(1 - rates * config.weight_decay)
        elif config.weight_decay:
            gradient = gradient + config.weight_decay * self.parameters
        if config.kind == "sgd":
            if config.momentum:
                # PyTorch starts the buffer with the first gradient
                self._first.mul_(config.momentum if self._step > 1 else 0).add_(gradient)
                gradient = self._first
            self.parameters.addcmul_(gradient, rates, value=-1)
            return
        beta1, beta2 = config.betas
        self._first.lerp_(gradient, 1 - beta1)
        self._second.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        torch.sqrt(self._second, out=self._scratch)
        self._scratch.div_(math.sqrt(1 - beta2**self._step)).add_(config.eps)
        torch.div(self._first, self._scratch, out=self._scratch)
        self.parameters.addcmul_(self._scratch, rates, value=-1 / (1 - beta1**self._step))
