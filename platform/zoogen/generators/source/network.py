"""What is added to a source, token by token."""

import torch
from torch import Tensor, nn

_SMALLEST_STD = 1e-6  # a coordinate that never varies is only shifted


class SourceNetwork(nn.Module):
    """Coordinates [T, F] and the tokens of sources [K, T, W] to what is added to them, [K, T, W]; zero at first.

    A residual perceptron per token. Every block also sees the mean of its features over all tokens of the network, so
    that each token can fit the rest of its source whatever the structure; the order of tokens does not matter.

    Args:
        features: coordinates F of a token.
        numbers: numbers W of a token.
        width: features that the blocks add to.
        blocks: how many.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, features: int, numbers: int, width: int, blocks: int):
        super().__init__()
        self.features, self.numbers = features, numbers
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))
        self.enter = nn.Linear(features + numbers, width)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(blocks))
        self.norm, self.leave = nn.LayerNorm(width), nn.Linear(width, numbers)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def fit_features(self, features: Tensor) -> None:
        """Take the statistics of the training structures' coordinates [T, F], before training."""
        self.mean.copy_(features.mean(0))
        std = features.std(0, correction=0)
        self.std.copy_(torch.where(std > _SMALLEST_STD, std, 1.0))

    def forward(self, features: Tensor, tokens: Tensor) -> Tensor:
        where = ((features - self.mean) / self.std).expand(len(tokens), -1, -1)
        hidden = self.enter(torch.cat([where, tokens], -1))
        for block in self.blocks:
            hidden = block(hidden)
        return self.leave(self.norm(hidden))


class _Block(nn.Module):
    """Features [K, T, W'] plus a perceptron of them and of their mean over the tokens."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.own, self.common = nn.Linear(width, width), nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(self, hidden: Tensor) -> Tensor:
        normal = self.norm(hidden)
        common = self.common(normal.mean(1, keepdim=True))
        return hidden + self.out(nn.functional.silu(self.own(normal) + common))
