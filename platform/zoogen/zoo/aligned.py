"""Runs of a zoo with their hidden units renumbered to match, before anything learns from them.

Networks of independent initialisations number their hidden units differently, so that their flat vectors have no
common distribution that an autoencoder could learn. Here the runs are matched to their own mean, again and again
(MergeMany of Git Re-Basin, Ainsworth et al. 2023, §3.3, with the mean of all runs instead of all but one).
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zoogen.weights.alignment import matching_order
from zoogen.weights.symmetry import UnitGroup
from zoogen.zoo.read import CheckpointSet

ROUNDS = 8  # against the mean; it usually settles after two to four
_TOLERANCE = 1e-4  # share of the mean distance below which a round has changed nothing


@dataclass(frozen=True)
class Alignment:
    """What the runs of one structure are matched to, and what that brought.

    Attributes:
        label: of the structure.
        reference: mean of the matched last checkpoints, [D] float64; None if the structure has no symmetries.
        runs: how many were matched.
        before, after: mean distance of a run's last checkpoint from the mean of them all, root mean square per weight.
        rounds: of matching, the first one included.
        seconds: wall-clock time.
    """

    label: str
    reference: Tensor | None
    runs: int
    before: float
    after: float
    rounds: int
    seconds: float

    def line(self) -> str:
        """For the user."""
        if self.reference is None:
            return f"{self.label}: no hidden units are known that could be renumbered, so nothing is aligned"
        change = f"distance of a run from their mean {self.before:.4g} → {self.after:.4g}"
        return f"{self.label}: {self.runs} runs aligned, {change} ({self.rounds} rounds, {self.seconds:.1f} s)"


def find_alignment(train: CheckpointSet, groups: Sequence[UnitGroup], rounds: int = ROUNDS) -> Alignment:
    """Match the last checkpoints of the training runs: to that of the first run, then to their mean until it settles.

    Args:
        train: training checkpoints of one structure, at least one.
        groups: its units that may be renumbered.
        rounds: against the mean, at most.
    """
    begin, last = time.perf_counter(), train.last().weights
    before = _spread(last)
    if not groups:
        return Alignment(train.target.label, None, len(last), before, before, 0, 0.0)
    reference, distance, done = last[0].double(), math.inf, 0
    for _ in range(rounds + 1):
        moved = _matched(last, reference, train, groups)
        spread = _spread(moved)
        if not spread < distance * (1 - _TOLERANCE):
            break
        reference, distance, done = moved.double().mean(0), spread, done + 1
    after = _spread(_matched(last, reference, train, groups))
    return Alignment(train.target.label, reference, len(last), before, after, done, time.perf_counter() - begin)


def aligned(rows: CheckpointSet, alignment: Alignment, groups: Sequence[UnitGroup]) -> CheckpointSet:
    """Checkpoints of the same structure matched to the reference: the same functions.

    All checkpoints of a run are renumbered like its last one, so that its trajectory stays as smooth as it was.
    """
    if alignment.reference is None:
        return rows
    final, weights = rows.last(), torch.empty_like(rows.weights)
    order = matching_order(final.weights, alignment.reference, rows.target.layout, groups)
    for index, run in enumerate(final.runs):
        mine = rows.runs == run
        weights[mine] = rows.weights[mine][:, order[index]]
    return rows.with_weights(weights)


def _matched(weights: Tensor, reference: Tensor, rows: CheckpointSet, groups: Sequence[UnitGroup]) -> Tensor:
    return weights.gather(1, matching_order(weights, reference, rows.target.layout, groups))


def _spread(weights: Tensor) -> float:
    """Mean distance of networks [R, D] from their mean, root mean square per weight."""
    centred = weights.double() - weights.double().mean(0)
    return float(centred.square().mean(1).sqrt().mean())
