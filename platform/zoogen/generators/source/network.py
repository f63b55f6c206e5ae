"""From coordinates and source to weights, token by token."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from zoogen.generators.source.config import SourceConfig

_SMALLEST_STD = 0.1  # coordinates that are mostly equal (a one-hot of many) are not blown up
_FIRST_CHANGE = 0.1  # standard deviation of the changes before training: networks begin as their sources, about
_FARTHEST = 6.0  # standard deviations at which a coordinate beyond what was taught stays


class SourceNetwork(nn.Module):
    """Weights = source + changes: one residual perceptron makes every token's change from its coordinates and from what
    the token is so far, in one step or in several.

    Args:
        features: numbers F of a token's coordinates.
        token: numbers W of a token.
        width: features of the residual stream.
        blocks: residual blocks.
        pooled: every block also sees the mean of its features over all tokens of a network; without, tokens do not see
            each other.
        steps: how often a change is made, each of 1 / steps of what the perceptron says (Euler's method).
        gated: whether blocks have gates.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        features: int,
        token: int,
        width: int,
        blocks: int,
        pooled: bool = False,
        steps: int = 1,
        gated: bool = True,
    ):
        super().__init__()
        self.features, self.token, self.steps = features, token, steps
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))
        self.coordinates = nn.Linear(features, width)
        self.source = nn.Linear(token, width, bias=False)
        self.time = nn.Embedding(steps, width) if steps > 1 else None
        self.blocks = nn.ModuleList(_Block(width, pooled, gated) for _ in range(blocks))
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, token)
        nn.init.normal_(self.out.weight, std=_FIRST_CHANGE / width**0.5)
        nn.init.zeros_(self.out.bias)

    @classmethod
    def of(cls, config: SourceConfig, features: int, token: int) -> "SourceNetwork":
        """The network of a configuration for tokens of W numbers with F coordinates."""
        return cls(features, token, config.width, config.blocks, config.pooled, config.steps, config.gated)

    def fit_coordinates(self, features: Sequence[Tensor]) -> None:
        """Take mean and standard deviation from the tokens [T, F] of all that will be taught."""
        every = torch.cat(list(features))
        self.mean.copy_(every.mean(0))
        self.std.copy_(every.std(0, correction=0).clamp_min(_SMALLEST_STD))

    def forward(self, features: Sequence[Tensor], sources: Sequence[Tensor]) -> list[Tensor]:
        """Tokens [K, T, W] of K networks each of several structures, from coordinates [T, F] and sources [K, T, W]."""
        places = [self.coordinates(self._scaled(where)) for where in features]
        where = torch.cat([p.expand(len(s), -1, -1).flatten(0, 1) for p, s in zip(places, sources, strict=True)])
        networks = torch.tensor([source.shape[1] for source in sources for _ in source], device=where.device)
        tokens = torch.cat([source.flatten(0, 1) for source in sources])
        for step in range(self.steps):
            tokens = tokens + self._change(where, tokens, networks, step) / self.steps
        made = tokens.split([len(source) * source.shape[1] for source in sources])
        return [part.view_as(source) for part, source in zip(made, sources, strict=True)]

    def _change(self, where: Tensor, tokens: Tensor, networks: Tensor, step: int) -> Tensor:
        """Changes [N, W] of the tokens [N, W] of networks one after the other, of so many tokens each."""
        hidden = where + self.source(tokens)
        if self.time is not None:
            hidden = hidden + self.time.weight[step]
        for block in self.blocks:
            hidden = block(hidden, networks)
        changes: Tensor = self.out(self.norm(hidden))
        return changes

    def _scaled(self, features: Tensor) -> Tensor:
        return ((features - self.mean) / self.std).clamp(-_FARTHEST, _FARTHEST)


class _Block(nn.Module):
    """With gates, features multiply each other (SwiGLU, Shazeer 2020): what a source means depends on where it is."""

    def __init__(self, width: int, pooled: bool, gated: bool):
        super().__init__()
        self.norm, self.inner, self.outer = nn.LayerNorm(width), nn.Linear(width, width), nn.Linear(width, width)
        self.gate = nn.Linear(width, width) if gated else None
        self.common = nn.Linear(width, width, bias=False) if pooled else None

    def forward(self, hidden: Tensor, networks: Tensor) -> Tensor:
        normed = self.norm(hidden)
        inner = self.inner(normed)
        if self.common is not None:
            inner = inner + self.common(_means(hidden, networks)).repeat_interleave(networks, 0)
        inner = silu(inner)
        if self.gate is not None:
            inner = inner * self.gate(normed)
        changed: Tensor = hidden + self.outer(inner)
        return changed


def _means(hidden: Tensor, networks: Tensor) -> Tensor:
    """Means [M, width] over the tokens of each of M networks, of features [N, width] one network after the other."""
    owners = torch.arange(len(networks), device=hidden.device).repeat_interleave(networks)
    sums = hidden.new_zeros(len(networks), hidden.shape[1]).index_add(0, owners, hidden)
    return sums / networks[:, None]
