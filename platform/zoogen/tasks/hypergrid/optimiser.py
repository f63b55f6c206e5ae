"""SGD, Adam and AdamW over stacked parameters with a learning rate for each model."""

import math

import torch
from torch import Tensor

from zoogen.tasks.hypergrid.optimiser_config import OptimiserConfig


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
