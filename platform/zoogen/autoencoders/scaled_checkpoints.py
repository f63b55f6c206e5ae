"""Training checkpoints as scaled, padded rows, whatever their number and length."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zoogen.weights.scaling import WeightScaler
from zoogen.zoo.read import CheckpointSet

_KEPT = 2**28  # numbers (1 GiB) up to which all rows are kept scaled; beyond it they are scaled when asked for


@dataclass(frozen=True)
class _Part:
    """Checkpoints of one structure, [R, D], with their mean [D] and standard deviation [D] of the scaling."""

    weights: Tensor
    mean: Tensor
    std: Tensor

    def scaled(self, rows: Tensor | slice, columns: slice = slice(None)) -> Tensor:
        device = self.mean.device
        index = rows.to(self.weights.device) if isinstance(rows, Tensor) else rows
        return (self.weights[index, columns].to(device) - self.mean[columns]) / self.std[columns]


class ScaledCheckpoints:
    """All training checkpoints, set after set, scaled and zero-padded at the end to length P.

    Args:
        scaler: scaling of the weights.
        sets: checkpoints by structure, none longer than `length`.
        length: padded length P.
        device: where rows are wanted.
    """

    def __init__(
        self, scaler: WeightScaler, sets: Sequence[CheckpointSet], length: int, device: str | torch.device = "cpu"
    ):
        self.length, self.device = length, torch.device(device)
        self._parts = [
            _Part(s.weights, *(v.to(device) for v in scaler.vectors(s.target.layout, s.weights.dtype))) for s in sets
        ]
        lengths = [torch.full((len(s.weights),), s.target.layout.size) for s in sets]
        self.sizes = torch.cat(lengths).to(device)
        self._kept = self._columns(0, length) if len(self) * length <= _KEPT else None

    def __len__(self) -> int:
        return len(self.sizes)

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of an index [B]: scaled weights [B, P] and real lengths [B]."""
        if self._kept is not None:
            return self._kept[rows], self.sizes[rows]
        out = torch.zeros(len(rows), self.length, device=self.device)
        first = 0
        for part in self._parts:
            inside = (rows >= first) & (rows < first + len(part.weights))
            if inside.any():
                out[inside, : len(part.mean)] = part.scaled(rows[inside] - first)
            first += len(part.weights)
        return out, self.sizes[rows]

    def columns(self, start: int, stop: int) -> Tensor:
        """Coordinates `start` to `stop` of all rows, [R, stop - start]."""
        return self._columns(start, stop) if self._kept is None else self._kept[:, start:stop]

    def _columns(self, start: int, stop: int) -> Tensor:
        out = torch.zeros(len(self), stop - start, device=self.device)
        first = 0
        for part in self._parts:
            end = min(stop, len(part.mean))
            if end > start:
                out[first : first + len(part.weights), : end - start] = part.scaled(slice(None), slice(start, end))
            first += len(part.weights)
        return out
