"""How far networks lie from the training checkpoints and from each other: memorised, alike, or new.

Distances are of three kinds: of weights (root mean square difference per weight), of weights after matching
hidden units, and of behaviour (the task's own, for example total variation between terminating distributions).
What cannot be told (a set with one member) is None.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from zoogen.evaluation.distances import weight_distances
from zoogen.seeds import seeded_generator
from zoogen.tasks.base import Task
from zoogen.weights.alignment import align, blind
from zoogen.weights.layout import ParameterLayout
from zoogen.weights.symmetry import UnitGroup

_QUERY_ROWS = 128  # rows compared at once: bounds memory, not the answer
_ALIGNED_VALUES = 1 << 19  # weights aligned or sorted at once, which takes about 100 bytes of each
_TRAIN_SAMPLE = 256  # checkpoints whose neighbours are sought for the train-train figure
_BLOCK_VALUES = 1 << 23  # values of behaviour compared at once: 64 MiB in float64


class Nearest(NamedTuple):
    """For each of K networks the nearest of R others.

    Attributes:
        distance: [K] float64.
        row: which of the others, [K] int64.
    """

    distance: Tensor
    row: Tensor


def nearest_distance(weights: Tensor, others: Tensor, excluded: Tensor | None = None) -> Tensor:
    """Root mean square difference per weight between each row and the nearest other row.

    Args:
        weights: [K, D].
        others: [R, D], R >= 1.
        excluded: pairs that are not compared, [K, R] bool.

    Returns:
        [K] float64; infinite where all others are excluded.
    """
    return _without(weight_distances(weights, others), excluded).amin(1)


def matched_nearest(
    weights: Tensor,
    others: Tensor,
    layout: ParameterLayout,
    groups: Sequence[UnitGroup],
    candidates: int = 8,
    excluded: Tensor | None = None,
) -> Nearest:
    """The nearest other row after matching hidden units, by the root mean square difference per weight.

    Compared are the `candidates` nearest others by plain distance and twice as many by the distance that no
    renumbering can change (`blind`, a lower bound of the matched one): a renumbered copy is always among them.

    Args:
        weights: [K, D].
        others: [R, D], R >= 1.
        layout: of both.
        groups: units that may be renumbered.
        candidates: how many others are aligned with each row, by plain distance.
        excluded: pairs that are not compared (a network with itself, checkpoints of one run), [K, R] bool.

    Returns:
        Distances, never above the plain nearest one; infinite where all others are excluded.
    """
    plain = _without(weight_distances(weights, others), excluded)
    bound = _without(_blind_distances(weights, others, layout, groups), excluded)
    chosen = torch.zeros_like(plain, dtype=torch.bool)
    for distances, count in ((plain, candidates), (bound, 2 * candidates)):
        chosen.scatter_(1, distances.topk(min(count, len(others)), 1, largest=False).indices, True)
    # a candidate whose lower bound is not below the plain nearest distance cannot be the answer
    row, column = torch.nonzero(chosen & (bound < plain.amin(1, keepdim=True)), as_tuple=True)
    rms = _matched_distances(weights, others, row, column, layout, groups)
    matched = plain.index_put((row, column), torch.minimum(plain[row, column], rms))
    return Nearest(*matched.min(1))


def _blind_distances(weights: Tensor, others: Tensor, layout: ParameterLayout, groups: Sequence[UnitGroup]) -> Tensor:
    """Distances between what no renumbering can change, [K, R] float64."""
    at_once = max(1, _ALIGNED_VALUES // layout.size)
    own, bound = torch.empty_like(weights), weights.new_empty(len(weights), len(others), dtype=torch.float64)
    for rows, place in zip(weights.split(at_once), own.split(at_once), strict=True):
        place.copy_(blind(rows, layout, groups))
    for rows, place in zip(others.split(at_once), bound.split(at_once, 1), strict=True):
        place.copy_(weight_distances(own, blind(rows, layout, groups)))
    return bound


def _matched_distances(
    weights: Tensor, others: Tensor, row: Tensor, column: Tensor, layout: ParameterLayout, groups: Sequence[UnitGroup]
) -> Tensor:
    """Root mean square difference per weight after matching, of the pairs (row, column) [P]; [P] float64."""
    at_once = max(1, _ALIGNED_VALUES // layout.size)
    rms = weights.new_empty(len(row), dtype=torch.float64)
    for some, those, place in zip(row.split(at_once), column.split(at_once), rms.split(at_once), strict=True):
        aligned = align(weights[some], others[those], layout, groups)
        place.copy_(((aligned.double() - others[those].double()) ** 2).mean(1).sqrt())
    return rms


def behaviour_distances(task: Task, first: Tensor, second: Tensor, device: str = "cpu") -> Tensor:
    """The task's distances between behaviours [K, X] and [R, X], [K, R] float64, in blocks of bounded memory."""
    rows = max(1, _BLOCK_VALUES // max(1, first.shape[1]))
    return torch.cat(
        [torch.cat([task.behaviour_distances(a, b, device) for b in second.split(rows)], 1) for a in first.split(rows)]
    )


def same_run(first: Tensor, second: Tensor) -> Tensor:
    """Whether checkpoints of the runs [K] and [R] are of one run, [K, R] bool: pairs that novelty excludes."""
    return first[:, None] == second[None, :]


def train_train_distance(weights: Tensor, runs: Tensor, seed: int) -> float | None:
    """Median distance between a training checkpoint and the nearest one of another run.

    At most 256 checkpoints, drawn with `seed`, are compared with all others.

    Args:
        weights: [R, D].
        runs: run of each checkpoint, [R].

    Returns:
        The median, or None if there is one run only.
    """
    if len(torch.unique(runs)) < 2:
        return None
    chosen = torch.randperm(len(runs), generator=seeded_generator(seed))[:_TRAIN_SAMPLE]
    nearest = []
    for rows in chosen.split(_QUERY_ROWS):
        distances = _without(weight_distances(weights[rows], weights), same_run(runs[rows], runs))
        nearest.append(distances.amin(1))
    return float(torch.cat(nearest).quantile(0.5))


def pairwise_median(distances: Tensor) -> float | None:
    """Median distance between different members of one set, from their distances [K, K]; None for fewer than two."""
    rows, columns = torch.triu_indices(len(distances), len(distances), offset=1)
    pairs = distances[rows, columns]
    return float(pairs.sort().values[[(len(pairs) - 1) // 2, len(pairs) // 2]].mean()) if len(pairs) else None


def relative_diversity(weights: Tensor, layout: ParameterLayout, groups: Sequence[UnitGroup]) -> float | None:
    """Median distance between different networks of [K, D] after matching hidden units (or as they are, without
    groups), in units of their root mean square norm: about 1.4 for unrelated networks. None for fewer than two."""
    if len(weights) < 2:
        return None
    rows, columns = torch.triu_indices(len(weights), len(weights), offset=1)
    distances = weight_distances(weights, weights)[rows, columns]
    if groups:
        distances = torch.minimum(distances, _matched_distances(weights, weights, rows, columns, layout, groups))
    size = weights.double().square().mean().sqrt()
    return float(distances.quantile(0.5) / size) if size > 0 else 0.0


def coverage(generated_to_real: Tensor, real_to_real: Tensor, k: int = 5) -> float | None:
    """Share of the real points whose ball holds a generated point (Naeem et al. 2020, eq. 7).

    The ball of a real point reaches to its k-th nearest neighbour among the other real points, border included.

    Args:
        generated_to_real: [K, R].
        real_to_real: [R, R].
        k: neighbours; all the other points where there are fewer.

    Returns:
        In [0, 1]; None for fewer than two real points.
    """
    inside = _inside(generated_to_real, real_to_real, k)
    return None if inside is None else float(inside.any(0).double().mean())


def density(generated_to_real: Tensor, real_to_real: Tensor, k: int = 5) -> float | None:
    """Real balls that hold a generated point, on average over the points and by k (Naeem et al. 2020, eq. 6).

    About 1 for points from the same distribution, more where they gather in its dense parts; else as `coverage`.
    """
    inside = _inside(generated_to_real, real_to_real, k)
    return None if inside is None else float(inside.double().sum(1).mean()) / min(k, len(real_to_real) - 1)


def _inside(generated_to_real: Tensor, real_to_real: Tensor, k: int) -> Tensor | None:
    """Whether each generated point lies in each real point's ball, [K, R] bool."""
    count = len(real_to_real)
    if count < 2:
        return None
    itself = torch.eye(count, dtype=torch.bool, device=real_to_real.device)
    radius = _without(real_to_real, itself).kthvalue(min(k, count - 1), 1).values
    return generated_to_real <= radius


def _without(distances: Tensor, excluded: Tensor | None) -> Tensor:
    return distances if excluded is None else distances.masked_fill(excluded, torch.inf)
