"""Moments of many rows in float64, block by block, without a float64 copy of the rows."""

from collections.abc import Iterator

import torch
from torch import Tensor

BLOCK_VALUES = 1 << 24  # values in float64 at once: 128 MiB


def column_mean(rows: Tensor) -> Tensor:
    """Mean of each column of [R, D], [D] float64; the bits of `rows.double().mean(0)`."""
    return torch.cat([block.double().mean(0) for block in _columns(rows)])


def column_moments(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (of the population) of each column of [R, D], each [D] float64; the same bits."""
    of_blocks = [(block.mean(0), block.std(0, unbiased=False)) for block in map(Tensor.double, _columns(rows))]
    means, deviations = zip(*of_blocks, strict=True)
    return torch.cat(means), torch.cat(deviations)


def moments(values: Tensor) -> tuple[float, float]:
    """Mean and standard deviation (of the population) of all values of [R, C]."""
    if values.numel() <= BLOCK_VALUES:
        whole = values.double()
        return float(whole.mean()), float(whole.std(unbiased=False))
    blocks = list(values.split(max(1, BLOCK_VALUES // max(1, values.shape[1]))))
    mean = sum(float(block.double().sum()) for block in blocks) / values.numel()
    squares = sum(float((block.double() - mean).square().sum()) for block in blocks)
    return mean, (squares / values.numel()) ** 0.5


def _columns(rows: Tensor) -> Iterator[Tensor]:
    """Blocks of columns: each column is summed as in the whole, so that no bit depends on the blocks."""
    return iter(rows.split(max(1, BLOCK_VALUES // max(1, len(rows))), 1))
