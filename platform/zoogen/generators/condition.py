"""The structure as a condition: fixed normalisation, then a learnt encoder."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from zoogen.weights.target import Target

_SMALLEST_STD = 1e-6  # a number that is equal in all training structures is only shifted


def indistinct(targets: Sequence[Target]) -> tuple[str, ...]:
    """Remarks on structures that are the same to a generator, because their conditions are equal."""
    alike: dict[tuple[float, ...], list[str]] = {}
    for target in {target.structure: target for target in targets}.values():
        alike.setdefault(target.condition, []).append(target.label)
    return tuple(
        f"{', '.join(labels)} have equal conditions, so the generator makes no difference between them; let the task's "
        "condition tell them apart"
        for labels in alike.values()
        if len(labels) > 1
    )


class ConditionNormaliser(nn.Module):
    """(f(c) - mean) / std per number, with f(c) = sign(c) ln(1 + |c|) or the identity.

    The statistics are those of the distinct training conditions; they are buffers, hence part of the artifact.
    Sizes act by ratio rather than by difference, which is why the logarithm is the default.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, size: int, transform: Literal["none", "log"]):
        super().__init__()
        self.transform = transform
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("std", torch.ones(size))

    def fit(self, conditions: Tensor) -> None:
        """Take the statistics of conditions [K, C]; equal rows count once."""
        mapped = self._map(conditions.unique(dim=0))
        self.mean.copy_(mapped.mean(0))
        std = mapped.std(0, correction=0)
        self.std.copy_(torch.where(std > _SMALLEST_STD, std, 1.0))

    def forward(self, conditions: Tensor) -> Tensor:
        """Conditions [..., C] to normalised conditions [..., C]."""
        return (self._map(conditions) - self.mean) / self.std

    def _map(self, conditions: Tensor) -> Tensor:
        return conditions.sign() * conditions.abs().log1p() if self.transform == "log" else conditions


class StructureEncoder(nn.Module):
    """tau(c): normalised conditions [B, C] to embeddings [B, E] (GenFlowNet §2.3; a two-layer perceptron)."""

    def __init__(self, size: int, width: int, embedding: int):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(size, width), nn.SiLU(), nn.Linear(width, embedding))

    def forward(self, conditions: Tensor) -> Tensor:
        return self.layers(conditions)
