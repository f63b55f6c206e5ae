"""Distances between many networks by their weights, in bounded memory."""

import torch
from torch import Tensor

_WEIGHT_VALUES = 5 << 20  # weights in float64 at once: 40 MiB, which torch takes a few times and gives back
_ROWS = (32, 128)  # fewest and most rows compared at once: with fewer, torch calculates in another way
_COLUMNS = 1 << 22  # longer rows are compared part by part


def weight_distances(weights: Tensor, others: Tensor) -> Tensor:
    """Root mean square difference per weight between rows of [K, D] and [R, D], [K, R] float64.

    Memory beside the arguments is bounded: many rows are compared block by block, very long ones part by part.
    """
    size = weights.shape[1]
    if size <= _COLUMNS:
        return _distances(weights, others) / size**0.5
    squares = torch.zeros(len(weights), len(others), dtype=torch.float64, device=weights.device)
    for some, those in zip(weights.split(_COLUMNS, 1), others.split(_COLUMNS, 1), strict=True):
        squares += _distances(some, those).square()
    return (squares / size).sqrt()


def _distances(weights: Tensor, others: Tensor) -> Tensor:
    """Euclidean distances between rows, [K, R] float64."""
    fewest, most = _ROWS
    at_once = max(fewest, _WEIGHT_VALUES // max(1, weights.shape[1]))
    distances = torch.empty(len(weights), len(others), dtype=torch.float64, device=weights.device)
    for block, column in zip(others.split(at_once), distances.split(at_once, 1), strict=True):
        reference, queries = block.double(), min(at_once, most)
        for rows, place in zip(weights.split(queries), column.split(queries), strict=True):
            place.copy_(torch.cdist(rows.double(), reference))
    return distances
