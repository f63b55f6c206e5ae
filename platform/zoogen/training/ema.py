"""Exponential moving average of parameters."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from zoogen.training.config import EmaConfig


class ParameterAverage:
    """Average a_t = d_t a_{t-1} + (1 - d_t) p_t of parameters p, with a_0 the parameters at the start.

    Buffers, such as the running statistics of batch normalisation, are not averaged: those of the last iteration
    stay. d_t is the configured decay; with warm-up it is min(decay, (1 + t) / (10 + t)), t counting updates from 1.
    """

    def __init__(self, config: EmaConfig, parameters: Iterable[nn.Parameter]):
        self.config = config
        self.parameters = list(parameters)
        self.averages = [parameter.detach().clone() for parameter in self.parameters]

    def decay(self, update: int) -> float:
        """d_t of update number t, from 1."""
        return min(self.config.decay, (1 + update) / (10 + update)) if self.config.warmup else self.config.decay

    @torch.no_grad()
    def update(self, update: int) -> None:
        """Take in the parameters after update number t, from 1."""
        weight = 1 - self.decay(update)
        torch._foreach_lerp_(self.averages, [parameter.detach() for parameter in self.parameters], weight)

    @torch.no_grad()
    def copy_to_parameters(self) -> None:
        """Replace the parameters by their averages."""
        for parameter, average in zip(self.parameters, self.averages, strict=True):
            parameter.copy_(average)

    @torch.no_grad()
    def load(self, averages: Iterable[Tensor]) -> None:
        """Replace the averages."""
        for mine, given in zip(self.averages, averages, strict=True):
            mine.copy_(given)
