"""What autoencoders work on: scaled weights of one or several structures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from zoogen.weights.target import Target


@dataclass(frozen=True, eq=False)
class Membership:
    """Which structure each of B networks is of.

    Attributes:
        targets: the structures.
        members: [B] int64, their places in `targets`.
    """

    targets: tuple[Target, ...]
    members: Tensor

    @classmethod
    def of(cls, target: Target, count: int, device: str | torch.device = "cpu") -> "Membership":
        """`count` networks of one structure."""
        return cls((target,), torch.zeros(count, dtype=torch.int64, device=device))

    def __len__(self) -> int:
        return len(self.members)

    @cached_property
    def sizes(self) -> Tensor:
        """Numbers of weights D of the networks, [B]."""
        sizes = torch.tensor([target.layout.size for target in self.targets], device=self.members.device)
        return sizes[self.members]

    def mask(self, length: int) -> Tensor:
        """[B, length], true where a row of `length` numbers holds weights of its network."""
        return torch.arange(length, device=self.members.device) < self.sizes[:, None]

    def rows(self) -> Iterator[tuple[Target, Tensor]]:
        """Structures that are there, each with its networks' places [R] in the batch."""
        if len(self.targets) == 1:
            yield self.targets[0], torch.arange(len(self), device=self.members.device)
            return
        for place in self.members.unique().tolist():
            yield self.targets[place], (self.members == place).nonzero().squeeze(1)


@dataclass(frozen=True, eq=False)
class WeightBatch:
    """Scaled weights of B networks of one or several structures.

    Attributes:
        membership: which structure each network is of.
        weights: [B, W], each network's own weights and zeros behind them; W is at least the longest one's length.
    """

    membership: Membership
    weights: Tensor

    @classmethod
    def of(cls, target: Target, weights: Tensor) -> "WeightBatch":
        """Networks [B, D] of one structure."""
        return cls(Membership.of(target, len(weights), weights.device), weights)

    @classmethod
    def assembled(cls, membership: Membership, rows: Sequence[Tensor], weights: Sequence[Tensor]) -> "WeightBatch":
        """Networks of the structures that are there, each one's places [R] in the batch and weights [R, D]; as wide as
        the longest of all."""
        longest = max(target.layout.size for target in membership.targets)
        padded = torch.cat([functional.pad(part, (0, longest - part.shape[1])) for part in weights])
        return cls(membership, padded[torch.cat(list(rows)).argsort()])

    def __len__(self) -> int:
        return len(self.weights)

    def with_weights(self, weights: Tensor) -> "WeightBatch":
        """Other weights [B, W] of the same structures; zeros behind a network's own are the caller's business."""
        return replace(self, weights=weights)

    def parts(self) -> Iterator[tuple[Target, Tensor, Tensor]]:
        """Structures that are there, each with its networks' places [R] in the batch and their weights [R, D]."""
        for target, rows in self.membership.rows():
            whole = len(self.membership.targets) == 1
            weights = self.weights if whole else self.weights[rows]
            yield target, rows, weights[:, : target.layout.size]
