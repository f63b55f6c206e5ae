"""From coordinates and source to weights, token by token."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

_SMALLEST_STD = 0.1  # coordinates that are mostly equal (a one-hot of many) are not blown up
_FIRST_CHANGE = 0.1  # standard deviation of the changes before training: networks begin as their sources, about
_FARTHEST = 6.0  # standard deviations at which a coordinate beyond what was taught stays


class SourceNetwork(nn.Module):
    """Weights = source + change, where one residual perceptron makes every token's change from its coordinates and its
    own source; tokens do not see each other, so a structure may have any number of them.

    Args:
        features: numbers F of a token's coordinates.
        token: numbers W of a token.
        width: features of the residual stream.
        blocks: residual blocks.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, features: int, token: int, width: int, blocks: int):
        super().__init__()
        self.features, self.token = features, token
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))
        self.coordinates = nn.Linear(features, width)
        self.source = nn.Linear(token, width, bias=False)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(blocks))
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, token)
        nn.init.normal_(self.out.weight, std=_FIRST_CHANGE / width**0.5)
        nn.init.zeros_(self.out.bias)

    def fit_coordinates(self, features: Sequence[Tensor]) -> None:
        """Take mean and standard deviation from the tokens [T, F] of all that will be taught."""
        every = torch.cat(list(features))
        self.mean.copy_(every.mean(0))
        self.std.copy_(every.std(0, correction=0).clamp_min(_SMALLEST_STD))

    def forward(self, features: Sequence[Tensor], sources: Sequence[Tensor]) -> list[Tensor]:
        """Tokens [K, T, W] of K networks each of several structures, from coordinates [T, F] and sources [K, T, W]."""
        streams = [
            (self.coordinates(self._scaled(where)) + self.source(source)).flatten(0, 1)
            for where, source in zip(features, sources, strict=True)
        ]
        hidden = torch.cat(streams)
        for block in self.blocks:
            hidden = block(hidden)
        changes = self.out(self.norm(hidden)).split([len(stream) for stream in streams])
        return [source + change.view_as(source) for source, change in zip(sources, changes, strict=True)]

    def _scaled(self, features: Tensor) -> Tensor:
        return ((features - self.mean) / self.std).clamp(-_FARTHEST, _FARTHEST)


class _Block(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.norm, self.inner, self.outer = nn.LayerNorm(width), nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, hidden: Tensor) -> Tensor:
        changed: Tensor = hidden + self.outer(silu(self.inner(self.norm(hidden))))
        return changed
