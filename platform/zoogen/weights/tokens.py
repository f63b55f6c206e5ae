"""Flat weights as a set of tokens with coordinates, so that one network can read or write any structure's."""

from dataclasses import dataclass

import torch
from torch import Tensor

from zoogen.weights.layout import ParameterLayout

_WIDTH = 64  # numbers per token where nothing else is said
_FREQUENCIES = 4  # sines and cosines of a position
_TENSORS = 32  # tensors of a layout that have a number of their own; further ones share the last


@dataclass(frozen=True)
class WeightTokens:
    """How flat weights [D] are T tokens of at most W numbers each.

    Attributes:
        index: place in the flat vector of each number, [T, W] int64; -1 where a token has fewer.
        features: coordinates of the tokens, [T, F] float32: what a token stands for, in a form that means the same in
            every structure of a task.
    """

    index: Tensor
    features: Tensor

    @property
    def width(self) -> int:
        """Numbers per token W."""
        return self.index.shape[1]

    def __len__(self) -> int:
        return len(self.index)

    def gather(self, weights: Tensor) -> Tensor:
        """Flat weights [K, D] as tokens [K, T, W], zero where a token has fewer numbers."""
        inside = self.index >= 0
        return weights[:, self.index.clamp(min=0)] * inside.to(weights)

    def scatter(self, tokens: Tensor) -> Tensor:
        """Tokens [K, T, W] as flat weights [K, D]: the inverse of `gather`, and differentiable."""
        return tokens.flatten(1)[:, self._places.to(tokens.device)]

    @property
    def _places(self) -> Tensor:
        """For each flat weight its place among the tokens' numbers, [D] int64."""
        places = torch.nonzero(self.index.flatten() >= 0).squeeze(1)
        return places[self.index.flatten()[places].argsort()]

    def to(self, device: str | torch.device) -> "WeightTokens":
        return WeightTokens(self.index.to(device), self.features.to(device))


def row_tokens(layout: ParameterLayout, width: int = _WIDTH) -> WeightTokens:
    """Every tensor of a layout row by row (its first axis), rows cut into pieces of at most `width` numbers.

    The coordinates are which tensor it is (in the order of the layout), the sizes of the tensor, and where in it the
    piece lies: its row and its place in the row, as shares and as sines and cosines of them.
    """
    places, features = [], []
    for number, entry in enumerate(layout.entries):
        rows = entry.shape[0] if len(entry.shape) > 1 else 1
        length = entry.size // rows
        pieces = -(-length // width)
        start = entry.offset + torch.arange(rows).repeat_interleave(pieces) * length
        piece = torch.arange(pieces).repeat(rows)
        column = piece[:, None] * width + torch.arange(width)
        places.append(torch.where(column < length, start[:, None] + column, -1))
        row = torch.arange(rows).repeat_interleave(pieces) / max(1, rows - 1)
        share = piece / max(1, pieces - 1)
        features.append(
            torch.cat(
                [
                    _one_hot(min(number, _TENSORS - 1), len(row)),
                    torch.tensor([rows, length]).log().expand(len(row), 2),
                    _waves(row),
                    _waves(share),
                ],
                1,
            )
        )
    return WeightTokens(torch.cat(places), torch.cat(features).float())


def _one_hot(number: int, count: int) -> Tensor:
    row = torch.zeros(count, _TENSORS)
    row[:, number] = 1
    return row


def _waves(share: Tensor) -> Tensor:
    """Shares [T] in [0, 1] and sines and cosines of their multiples, [T, 1 + 2 * frequencies]."""
    angles = share[:, None] * torch.pi * 2.0 ** torch.arange(_FREQUENCIES)
    return torch.cat([share[:, None], angles.sin(), angles.cos()], 1)
