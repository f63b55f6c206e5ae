"""How far networks lie from the training checkpoints and from each other: memorised, alike, or new.

Distances are of three kinds: of weights (root mean square difference per weight), of weights after matching
hidden units, and of behaviour (the task's own, for example total variation between terminating distributions).
What cannot be told (a set with one member) is None.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from zoogen.seeds import seeded_generator
from zoogen.tasks.base import Task
from zoogen.weights.alignment import align, blind
from zoogen.weights.layout import ParameterLayout
from zoogen.weights.symmetry import UnitGroup

_QUERY_ROWS = 128  # rows compared at once: bounds the distance matrix, not the answer
_TRAIN_SAMPLE = 256  # checkpoints whose neighbours are sought for the train-train figure
_WEIGHT_VALUES = 1 << 29  # weights compared at once: 4 GiB in float64
_BLOCK_VALUES = 1 << 23  # values of behaviour compared at once: 64 MiB in float64


class Nearest(NamedTuple):
    """For each of K networks the nearest of R others.

    Attributes:
        distance: [K] float64.
        row: which of the others, [K] int64.
    """

    distance: Tensor
    row: Tensor


def weight_distances(weights: Tensor, others: Tensor) -> Tensor:
    """Root mean square difference per weight between rows of [K, D] and [R, D], [K, R] float64.

    Memory beside the arguments is bounded: very long rows are compared part by part.
    """
    columns = max(1, _WEIGHT_VALUES // max(len(others), _QUERY_ROWS))
    if weights.shape[1] > columns:
        parts = zip(weights.split(columns, 1), others.split(columns, 1), strict=True)
        squares = torch.stack([torch.cdist(a.double(), b.double()).square() for a, b in parts])
        return (squares.sum(0) / weights.shape[1]).sqrt()
    reference = others.double()
    return torch.cat([torch.cdist(rows.double(), reference) for rows in weights.split(_QUERY_ROWS)]) / (
        weights.shape[1] ** 0.5
    )


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
    bound = _without(weight_distances(blind(weights, layout, groups), blind(others, layout, groups)), excluded)
    chosen = torch.zeros_like(plain, dtype=torch.bool)
    for distances, count in ((plain, candidates), (bound, 2 * candidates)):
        chosen.scatter_(1, distances.topk(min(count, len(others)), 1, largest=False).indices, True)
    # a candidate whose lower bound is not below the plain nearest distance cannot be the answer
    row, column = torch.nonzero(chosen & (bound < plain.amin(1, keepdim=True)), as_tuple=True)
    aligned = align(weights[row], others[column], layout, groups)
    rms = ((aligned.double() - others[column].double()) ** 2).mean(1).sqrt()
    matched = plain.index_put((row, column), torch.minimum(plain[row, column], rms))
    return Nearest(*matched.min(1))


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
