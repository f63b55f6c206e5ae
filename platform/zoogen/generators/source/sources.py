"""Where networks come from: initial weights, aligned across structures where the task has such, new for every draw."""

from dataclasses import dataclass

import torch
from torch import Tensor

from zoogen.identity import derive_seed
from zoogen.tasks.taught import TaughtTask
from zoogen.weights.tokens import WeightTokens


@dataclass(frozen=True)
class Sources:
    """The sources of one structure, seen in one arrangement of its interchangeable parts.

    A source is a normal combination of S initial networks (`Task.sources`): of the variance that they have, S numbers
    instead of one for every weight; of aligned ones the same numbers make the same source in every structure.

    Attributes:
        tokens: of the structure.
        styles: the S networks as tokens, [S, T, W], times amplitude / √S.
    """

    tokens: WeightTokens
    styles: Tensor

    @classmethod
    def of(cls, task: TaughtTask, structure: str, count: int, amplitude: float, arrangement: int = 0) -> "Sources":
        """From `count` styles, which are the same ones for every generator.

        Raises:
            ZoogenError: the structure lies beyond the task's coordinates.
        """
        seeds = [derive_seed("source style", number) for number in range(count)]
        tokens = task.tokens(structure, arrangement)
        styles = tokens.gather(task.sources(structure, seeds, arrangement))
        return cls(tokens, styles * (amplitude / count**0.5))

    def to(self, device: str | torch.device) -> "Sources":
        return Sources(self.tokens.to(device), self.styles.to(device))

    def drawn(self, numbers: Tensor) -> Tensor:
        """Sources [K, T, W] of normal numbers [K, S]."""
        return torch.einsum("ks,stw->ktw", numbers, self.styles)
