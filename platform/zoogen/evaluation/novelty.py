"""How far weights lie from the training checkpoints: memorised or new."""

import torch
from torch import Tensor

_QUERY_ROWS = 128  # rows compared at once: bounds the distance matrix, not the answer
_TRAIN_SAMPLE = 256  # checkpoints whose neighbours are sought for the train-train figure


def nearest_distance(weights: Tensor, others: Tensor) -> Tensor:
    """Root mean square difference per weight between each row and the nearest other row.

    Args:
        weights: [K, D].
        others: [R, D], R >= 1.

    Returns:
        [K] float64.
    """
    reference = others.double()
    nearest = [torch.cdist(rows.double(), reference).amin(1) for rows in weights.split(_QUERY_ROWS)]
    return torch.cat(nearest) / weights.shape[1] ** 0.5


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
    chosen = torch.randperm(len(runs), generator=torch.Generator().manual_seed(seed))[:_TRAIN_SAMPLE]
    nearest = []
    for rows in chosen.split(_QUERY_ROWS):
        distances = torch.cdist(weights[rows].double(), weights.double())
        distances[runs[rows][:, None] == runs[None, :]] = torch.inf
        nearest.append(distances.amin(1))
    return float(torch.cat(nearest).quantile(0.5)) / weights.shape[1] ** 0.5
