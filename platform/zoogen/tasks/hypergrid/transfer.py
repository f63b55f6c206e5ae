"""Policies of one grid as a start for another: what a weight stands for is carried over, not where it is stored."""

import torch
from torch import Tensor

from zoogen.networks.stacked_mlp import MLPShape
from zoogen.tasks.hypergrid.structure import HypergridStructure


def corresponding_columns(source: HypergridStructure, target: HypergridStructure) -> Tensor:
    """For each input (dimension i, level j) of `target` the input of `source` that stands for it, [n'·h'] int64.

    Dimension i mod n, and the level at the same share of the way, j/(h'−1)·(h−1), halves rounded up (in integers:
    floats would misplace the halves).
    """
    dimension = torch.arange(target.dimensions) % source.dimensions
    steps = target.horizon - 1
    level = (2 * torch.arange(target.horizon) * (source.horizon - 1) + steps) // (2 * steps)
    return (dimension[:, None] * source.horizon + level).flatten()


def corresponding_actions(source: HypergridStructure, target: HypergridStructure) -> Tensor:
    """For each action of `target` that of `source`: increment i from i mod n, stop from stop; [n' + 1] int64."""
    increments = torch.arange(target.dimensions) % source.dimensions
    return torch.cat([increments, torch.tensor([source.dimensions])])


def transfer_policies(
    weights: Tensor, source: HypergridStructure, target: HypergridStructure, before: MLPShape, after: MLPShape
) -> Tensor:
    """Policies [K, D] of `source` (networks `before`) as policies [K, D'] of `target` (networks `after`).

    Both are equally wide, so the middle layer is copied; nothing is drawn at random.

    Raises:
        ZoogenError: the weights do not fit the source.
    """
    tensors = before.layout.unflatten(weights)
    columns = corresponding_columns(source, target).to(weights.device)
    actions = corresponding_actions(source, target).to(weights.device)
    moved = {
        "dense1.weight": tensors["dense1.weight"][:, :, columns],
        "dense3.weight": tensors["dense3.weight"][:, actions],
        "dense3.bias": tensors["dense3.bias"][:, actions],
    }
    return after.layout.flatten({**tensors, **moved})
