"""Moments of many rows in float64, block by block, without a float64 copy of the rows."""

import torch
from torch import Tensor

BLOCK_VALUES = 5 << 20  # values in float64 at once: 40 MiB, which the allocator gives back to the system


def column_mean(rows: Tensor) -> Tensor:
    """Mean of each column of [R, D], [D] float64; the bits of `rows.double().mean(0)`."""
    mean = rows.new_empty(rows.shape[1], dtype=torch.float64)
    for columns in column_blocks(rows):
        mean[columns] = rows[:, columns].double().mean(0)
    return mean


def column_moments(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (of the population) of each column of [R, D], each [D] float64; the same bits."""
    mean, deviation = rows.new_empty(2, rows.shape[1], dtype=torch.float64)
    for columns in column_blocks(rows):
        values = rows[:, columns].double()
        mean[columns], deviation[columns] = values.mean(0), values.std(0, unbiased=False)
    return mean, deviation


def moments(values: Tensor) -> tuple[float, float]:
    """Mean and standard deviation (of the population) of all values of [R, C]."""
    if values.numel() <= BLOCK_VALUES:
        whole = values.double()
        return float(whole.mean()), float(whole.std(unbiased=False))
    blocks = list(values.split(max(1, BLOCK_VALUES // max(1, values.shape[1]))))
    mean = sum(float(block.double().sum()) for block in blocks) / values.numel()
    squares = sum(float((block.double() - mean).square().sum()) for block in blocks)
    return mean, (squares / values.numel()) ** 0.5


def column_blocks(rows: Tensor) -> list[slice]:
    """Blocks of the columns of [R, D]: each column is summed as in the whole, so that no bit depends on the blocks."""
    at_once = max(1, BLOCK_VALUES // max(1, len(rows)))
    return [slice(start, start + at_once) for start in range(0, rows.shape[1], at_once)]
