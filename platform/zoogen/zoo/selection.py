"""Collecting checkpoints of many parts in one array, which holds nothing else and is filled as they are read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock

import numpy as np
import pyarrow as pa

from zoogen.splits import Split
from zoogen.zoo.part_file import PartFile

_PLAIN = ("run", "step", "seconds")  # columns that are kept beside figures of the training and of judges


@dataclass(frozen=True)
class _Piece:
    """Rows of one part: their columns, [N], and their places among all."""

    columns: pa.Table
    places: np.ndarray


@dataclass
class Selection:
    """Checkpoints of some runs of one structure, run by run, by their steps.

    Every run has as many places as the first part has steps, or as are asked for; those of diverged checkpoints stay
    empty, take no memory, and are closed at the end.

    Args:
        size: length D of the weights.
        split: of the runs.
        runs: consecutive indices of the runs.
        last: how many of the last checkpoints of every run, None for all.

    Attributes:
        most: checkpoints of the run that has most of them, whatever `last` is.
    """

    size: int
    split: Split
    runs: Sequence[int]
    last: int | None = None
    most: int = 0
    _steps: list[int] | None = None
    _weights: np.ndarray = field(default_factory=lambda: np.empty((0, 0), np.float32))
    _pieces: list[_Piece] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def add(self, file: PartFile) -> None:
        """Take what belongs here out of a part. Parts may be added at the same time.

        Raises:
            DamagedError: the part is damaged, or has other steps than those before.
        """
        table = file.columns
        chosen = np.flatnonzero(table["split"].to_numpy() == self.split)
        runs, checkpoints = (table[name].to_numpy()[chosen] for name in ("run", "checkpoint"))
        each = self._begin(file, runs)
        if self.last is not None:
            keep = last_of_each(runs, self.last)
            chosen, runs, checkpoints = chosen[keep], runs[keep], checkpoints[keep]
            checkpoints = _rank_within(runs)
        places = (runs - self.runs[0]) * each + checkpoints
        file.weights(chosen, self._weights, places)
        with self._lock:
            self._pieces.append(_Piece(table.select(_figures(table)).take(pa.array(chosen)), places))

    def _begin(self, file: PartFile, runs: np.ndarray) -> int:
        """Places of each run; the first part tells how many there are."""
        steps = file.metadata["steps"]
        with self._lock:
            if self._steps is None:
                each = len(steps) if self.last is None else max(0, min(self.last, len(steps)))
                self._steps, self._weights = steps, np.empty((len(self.runs) * each, self.size), np.float32)
            if steps != self._steps:
                raise file.damaged("its steps are not those of the other parts")
            self.most = max(self.most, int(np.unique(runs, return_counts=True)[1].max(initial=0)))
            return len(self._weights) // len(self.runs)

    def weights(self) -> np.ndarray:
        """[R, D] float32; closes the places that stayed empty, so nothing can be added after it."""
        places = self._order[1]
        for row in np.flatnonzero(places != np.arange(len(places))):
            self._weights[row] = self._weights[places[row]]  # always from further down
        return self._weights[: len(places)]

    def column(self, name: str, kind: type) -> np.ndarray:
        """A column of numbers in the order of `weights`, [R]; NaN where a part has none."""
        values = [
            piece.columns[name].to_numpy().astype(kind)
            if name in piece.columns.column_names
            else np.full(len(piece.places), np.nan)
            for piece in self._pieces
        ]
        return np.concatenate(values)[self._order[0]]

    @property
    def metrics(self) -> list[str]:
        """Columns that hold figures of the training or of a judge."""
        names = dict.fromkeys(name for piece in self._pieces for name in piece.columns.column_names)
        return [name for name in names if name not in _PLAIN]

    @cached_property
    def _order(self) -> tuple[np.ndarray, np.ndarray]:
        """What puts rows in order, and their places then."""
        places = np.concatenate([piece.places for piece in self._pieces])
        order = places.argsort()
        return order, places[order]


def _figures(table: pa.Table) -> list[str]:
    return [name for name in table.column_names if "." in name or name in _PLAIN]


def last_of_each(runs: np.ndarray, count: int) -> np.ndarray:
    """Which rows are among the last `count` of their run, [R] int64 to [R] bool."""
    order = runs.argsort(kind="stable")
    keep = np.empty(len(runs), bool)
    keep[order] = _rank_within(runs[order][::-1])[::-1] < count
    return keep


def _rank_within(runs: np.ndarray) -> np.ndarray:
    """How many rows of the same run come before each; rows of a run are neighbours, or in order, [R]."""
    order = runs.argsort(kind="stable")
    ordered = runs[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(runs) else np.empty(0, np.int64)
    ranks = np.empty(len(runs), np.int64)
    ranks[order] = np.arange(len(runs)) - np.repeat(first, np.diff(np.r_[first, len(runs)]))
    return ranks
