"""Distances between many networks by their weights, in bounded memory."""

import torch
from torch import Tensor

_QUERY_ROWS = 128  # rows compared at once
_WEIGHT_VALUES = 1 << 24  # weights of the other rows in float64 at once: 128 MiB


def weight_distances(weights: Tensor, others: Tensor) -> Tensor:
    """Root mean square difference per weight between rows of [K, D] and [R, D], [K, R] float64.

    Memory beside the arguments is bounded: many rows are compared block by block, very long ones part by part.
    """
    size, columns = weights.shape[1], _WEIGHT_VALUES // _QUERY_ROWS
    if size <= columns:
        return _distances(weights, others) / size**0.5
    squares = torch.zeros(len(weights), len(others), dtype=torch.float64, device=weights.device)
    for some, those in zip(weights.split(columns, 1), others.split(columns, 1), strict=True):
        squares += _distances(some, those).square()
    return (squares / size).sqrt()


def _distances(weights: Tensor, others: Tensor) -> Tensor:
    """Euclidean distances between rows, [K, R] float64."""
    at_once = max(_QUERY_ROWS, _WEIGHT_VALUES // max(1, weights.shape[1]))
    return torch.cat([_to_block(weights, block.double()) for block in others.split(at_once)], 1)


def _to_block(weights: Tensor, others: Tensor) -> Tensor:
    return torch.cat([torch.cdist(rows.double(), others) for rows in weights.split(_QUERY_ROWS)])
