"""Initial policies that mean the same in every grid."""

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from zoogen.identity import derive_seed
from zoogen.networks.stacked_mlp import MLPShape
from zoogen.seeds import seeded_generator
from zoogen.tasks.hypergrid.structure import HypergridStructure
from zoogen.tasks.hypergrid.tokens import numbers_of
from zoogen.weights.tokens import WeightTokens

_WAVES = 4  # cosines of a level, the k-th with 1/k of the first one's size
_COLUMN = 0.4  # standard deviation of an input's contribution, times √n


def aligned_policies(
    structure: HypergridStructure, shape: MLPShape, tokens: WeightTokens, seeds: list[int], arrangement: int = 0
) -> Tensor:
    """Initial policies [K, D], one for each style (seed): in all grids the same style has the same hidden layer and
    the same increments and stop, and a dimension's input column is the same smooth function of j/(h − 1).

    Columns are normal with a size that does not depend on h, since exactly n of them are added up; dense2 and dense3
    have the variance of PyTorch's initialisation.
    """
    numbers = numbers_of(structure.dimensions, arrangement)
    return torch.cat([tokens.scatter(_style(structure, shape.hidden, numbers, seed)[None]) for seed in seeds])


def _style(structure: HypergridStructure, hidden: int, numbers: list[int], seed: int) -> Tensor:
    """One style as tokens [T, hidden + 1]."""
    h, n = structure.horizon, structure.dimensions
    waves = torch.cos(torch.pi * torch.arange(h)[:, None] / (h - 1) * torch.arange(1, _WAVES + 1))
    sizes = torch.cat([torch.ones(h, 1), waves / torch.arange(1, _WAVES + 1)], 1) * (_COLUMN / math.sqrt(n))
    # every dimension's numbers are drawn for themselves, so that a further dimension leaves the others as they are
    columns = torch.cat([sizes @ _normal(seed, "input", i, size=(_WAVES + 1, hidden)) for i in numbers])
    bias = _normal(seed, "bias", size=(1, hidden)) * (_COLUMN / 4)
    rows = [_normal(seed, "dense2", size=(hidden, hidden + 1))]
    rows += [_normal(seed, "increment", i, size=(1, hidden + 1)) for i in numbers]
    rows += [_normal(seed, "stop", size=(1, hidden + 1))]
    return torch.cat([pad(torch.cat([columns, bias]), (0, 1)), torch.cat(rows) / math.sqrt(3 * hidden)])


def _normal(*what: int | str, size: tuple[int, int]) -> Tensor:
    return torch.randn(size, generator=seeded_generator(derive_seed("aligned", *what)))
