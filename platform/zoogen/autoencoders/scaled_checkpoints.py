"""Training checkpoints as scaled rows, whatever their number and length."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zoogen.autoencoders.batch import Membership, WeightBatch
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
    """All training checkpoints, set after set, scaled, as rows of one length W with zeros behind the weights.

    Args:
        scaler: scaling of the weights.
        sets: checkpoints by structure, none longer than `length`.
        length: length W of the rows.
        device: where rows are wanted.
    """

    def __init__(
        self, scaler: WeightScaler, sets: Sequence[CheckpointSet], length: int, device: str | torch.device = "cpu"
    ):
        self.length, self.device = length, torch.device(device)
        self._parts = [
            _Part(s.weights, *(v.to(device) for v in scaler.vectors(s.target.layout, s.weights.dtype))) for s in sets
        ]
        self.targets = tuple(s.target for s in sets)
        self._members = torch.arange(len(sets)).repeat_interleave(torch.tensor([len(s.weights) for s in sets]))
        self._members = self._members.to(device)
        self._kept = self._columns(0, length) if len(self) * length <= _KEPT else None

    def __len__(self) -> int:
        return len(self._members)

    def batch(self, rows: Tensor) -> WeightBatch:
        """The rows of an index [B]."""
        membership = Membership(self.targets, self._members[rows])
        if self._kept is not None:
            return WeightBatch(membership, self._kept[rows])
        out = torch.zeros(len(rows), self.length, device=self.device)
        first = 0
        for part in self._parts:
            inside = (rows >= first) & (rows < first + len(part.weights))
            if inside.any():
                out[inside, : len(part.mean)] = part.scaled(rows[inside] - first)
            first += len(part.weights)
        return WeightBatch(membership, out)

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
