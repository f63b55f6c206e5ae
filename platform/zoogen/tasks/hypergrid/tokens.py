"""Policies as tokens: each input's column, each hidden unit's row, each action's row, with what it stands for."""

import math

import torch
from torch import Tensor
from torch.nn.functional import one_hot, pad

from zoogen.errors import ZoogenError
from zoogen.identity import derive_seed
from zoogen.networks.stacked_mlp import MLPShape
from zoogen.seeds import seeded_generator
from zoogen.tasks.hypergrid.environment import HypergridEnvironment
from zoogen.tasks.hypergrid.structure import HypergridStructure
from zoogen.weights.tokens import WeightTokens

MOST_DIMENSIONS = 12  # a dimension's number is a one-hot of so many
_KINDS = 5  # input column, bias of dense1, row of dense2, row of an increment, row of stop
_WAVES = 8  # sines and cosines of a level
_EDGES = (0.1, 0.2, 0.25, 0.75, 0.8, 0.9)  # of the reward's bands, |u - .5| = .25, .3, .4
_STEEPNESS = 60.0


def numbers_of(dimensions: int, arrangement: int) -> list[int]:
    """Which of the numbers that coordinates have a grid's dimensions carry: the first ones in the plain arrangement 0,
    any in others."""
    if arrangement == 0:
        return list(range(dimensions))
    generator = seeded_generator(derive_seed("arrangement", dimensions, arrangement))
    return torch.randperm(MOST_DIMENSIONS, generator=generator)[:dimensions].tolist()


def policy_tokens(environment: HypergridEnvironment, shape: MLPShape, arrangement: int = 0) -> WeightTokens:
    """The n·h columns of dense1, its bias, and the rows of dense2 and dense3 with their biases as last number.

    Coordinates say what a token is, which dimension, level or unit it belongs to, where its level lies between the
    edges of the reward's bands, and how large the grid is; so they mean the same in every grid.

    Raises:
        ZoogenError: the grid has more dimensions than coordinates can tell apart.
    """
    structure = environment.structure
    if structure.dimensions > MOST_DIMENSIONS:
        raise ZoogenError(
            f"{structure.label} has {structure.dimensions} dimensions, the coordinates of a policy's weights tell at "
            f"most {MOST_DIMENSIONS} apart"
        )
    numbers = numbers_of(structure.dimensions, arrangement)
    return WeightTokens(_places(shape), _coordinates(environment, shape.hidden, numbers))


def _places(shape: MLPShape) -> Tensor:
    """Places in the flat vector, [T, hidden + 1] int64."""
    numbers = shape.layout.unflatten(torch.arange(shape.layout.size)[None])
    columns = numbers["dense1.weight"][0].T
    bias = numbers["dense1.bias"]
    rows = [torch.cat([numbers[f"{d}.weight"][0], numbers[f"{d}.bias"][0, :, None]], 1) for d in ("dense2", "dense3")]
    return torch.cat([pad(torch.cat([columns, bias]), (0, 1), value=-1), *rows])


def _coordinates(environment: HypergridEnvironment, hidden: int, carried: list[int]) -> Tensor:
    """[T, F] float32."""
    h, n = environment.structure.horizon, environment.structure.dimensions
    kinds = torch.tensor([0] * (n * h) + [1] + [2] * hidden + [3] * n + [4])
    tokens = len(kinds)
    dimension = torch.zeros(tokens, MOST_DIMENSIONS)
    numbers = one_hot(torch.tensor(carried), MOST_DIMENSIONS).float()
    dimension[: n * h], dimension[-1 - n : -1] = numbers.repeat_interleave(h, 0), numbers
    unit = torch.zeros(tokens, hidden)
    unit[n * h + 1 : n * h + 1 + hidden] = torch.eye(hidden)
    levels = _levels(environment)
    level = torch.zeros(tokens, levels.shape[1])
    level[: n * h] = levels.repeat(n, 1)
    size = _size(environment.structure).expand(tokens, -1)
    return torch.cat([one_hot(kinds, _KINDS).float(), dimension, unit, size, level], 1)


def _size(structure: HypergridStructure) -> Tensor:
    h, n = structure.horizon, structure.dimensions
    return torch.tensor([math.log(h), math.log(n), 1 / h, 1 / n, n * math.log(h) / 10, 1 / (h - 1)])


def _levels(environment: HypergridEnvironment) -> Tensor:
    """What tells the levels j of a dimension apart, by u = j/(h − 1) above all; [h, F'] float32."""
    h = environment.structure.horizon
    u = (torch.arange(h).double() / (h - 1)).float()[:, None]
    bands = environment.bands.float()
    above = bands.flip(1).cumsum(1).flip(1) / bands.sum(1, keepdim=True).clamp(min=1)
    angles = torch.pi * u * torch.arange(1, _WAVES + 1)
    edges = u - torch.tensor(_EDGES)
    ends = torch.stack([torch.arange(h) == h - 1, torch.arange(h) == 0], 1).float()
    parts = [u, bands.T, above.T, angles.sin(), angles.cos(), edges.abs(), torch.sigmoid(_STEEPNESS * edges), ends]
    return torch.cat(parts, 1)
