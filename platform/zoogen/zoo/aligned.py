"""Runs of a zoo with their hidden units renumbered to match, before anything learns from them.

Networks of independent initialisations number their hidden units differently, so that their flat vectors have no
common distribution that an autoencoder could learn. Here the runs are matched to their own mean, again and again
(MergeMany of Git Re-Basin, Ainsworth et al. 2023, §3.3, with the mean of all runs instead of all but one).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zoogen.weights.alignment import matching_order
from zoogen.weights.symmetry import UnitGroup
from zoogen.zoo.read import CheckpointSet

ROUNDS = 20  # it usually settles after two to ten
_TOLERANCE = 1e-4  # share of the mean distance below which a round has changed nothing


@dataclass(frozen=True)
class Alignment:
    """How the runs of one structure are renumbered, what others are matched to, and what that brought.

    Attributes:
        label: of the structure.
        groups: units that were renumbered; none where the structure has no symmetries.
        runs: the training runs, [R].
        order: which coordinate of a run's weights stands at each place, [R, D] int32.
        reference: mean of the matched runs' last checkpoints, [D] float64.
        before, after: mean distance of a run's last checkpoint from the mean of them all, root mean square per weight.
        rounds: of matching, the first one included.
        seconds: wall-clock time.
    """

    label: str
    groups: Sequence[UnitGroup]
    runs: Tensor
    order: Tensor
    reference: Tensor
    before: float
    after: float
    rounds: int
    seconds: float

    def line(self) -> str:
        """For the user."""
        if not self.groups:
            return f"{self.label}: no hidden units are known that could be renumbered, so nothing is aligned"
        change = f"distance of a run from their mean {self.before:.4g} → {self.after:.4g}"
        return f"{self.label}: {len(self.runs)} runs aligned, {change} ({self.rounds} rounds, {self.seconds:.1f} s)"


def find_alignment(train: CheckpointSet, groups: Sequence[UnitGroup], rounds: int = ROUNDS) -> Alignment:
    """Match the last checkpoints of the training runs: to that of the first run, then to their mean until it settles.

    No run moves away from the mean of its round, so that their spread falls from round to round, as in k-means.

    Args:
        train: training checkpoints of one structure, at least one.
        groups: its units that may be renumbered.
        rounds: at most.
    """
    begin, last, layout = time.perf_counter(), train.last(), train.target.layout
    order = torch.arange(layout.size, dtype=torch.int32).repeat(len(last), 1)
    weights, before = last.weights, _spread(last.weights)
    reference, after, done = weights[0].double(), before, 0
    while groups and done < rounds:
        found = matching_order(weights, reference, layout, groups)
        matched = weights.gather(1, found)
        spread, done = _spread(matched), done + 1
        if not spread < after * (1 - _TOLERANCE):
            break
        order, weights, after = order.gather(1, found), matched, spread
        reference = weights.double().mean(0)
    reference, seconds = weights.double().mean(0), time.perf_counter() - begin
    return Alignment(train.target.label, tuple(groups), last.runs, order, reference, before, after, done, seconds)


def aligned(rows: CheckpointSet, alignment: Alignment) -> CheckpointSet:
    """Checkpoints of the same structure, renumbered: the same functions.

    Training runs are renumbered as was found, other runs are matched to the mean of those; all checkpoints of a run
    like its last one, so that its trajectory stays as smooth as it was.
    """
    if not alignment.groups:
        return rows
    final, weights = rows.last(), torch.empty_like(rows.weights)
    known = {int(run): index for index, run in enumerate(alignment.runs)}
    for index, run in enumerate(final.runs.tolist()):
        if run in known:
            order = alignment.order[known[run]].long()
        else:
            one = final.weights[index : index + 1]
            order = matching_order(one, alignment.reference, rows.target.layout, alignment.groups)[0]
        mine = rows.runs == run
        weights[mine] = rows.weights[mine][:, order]
    return rows.with_weights(weights)


def _spread(weights: Tensor) -> float:
    """Mean distance of networks [R, D] from their mean, root mean square per weight."""
    centred = weights.double() - weights.double().mean(0)
    return float(centred.square().mean(1).sqrt().mean())
