"""Checkpoint sets with a known distribution: structures whose weights are a mean of their own plus runs' offsets."""

import torch

from zoogen.weights.layout import ParameterLayout
from zoogen.weights.target import Target
from zoogen.zoo.read import CheckpointSet


def target(width: int) -> Target:
    layout = ParameterLayout.of({"weight": (width, 3), "bias": (width,)})
    return Target(f"w{width}", f"W{width}", layout, (float(width), float(width) ** 0.5))


def checkpoint_set(
    width: int, runs: int = 4, checkpoints: int = 3, spread: float = 0.3, seed: int = 0
) -> CheckpointSet:
    """`runs` x `checkpoints` rows: the structure's mean, an offset per run, and a hundredth of it per checkpoint."""
    wanted = target(width)
    size = wanted.layout.size
    shared = torch.Generator().manual_seed(width)
    own = torch.Generator().manual_seed(1000 * width + seed)
    offsets = spread * torch.randn(runs, 1, size, generator=own)
    jitter = 0.01 * spread * torch.randn(runs, checkpoints, size, generator=own)
    weights = (torch.randn(size, generator=shared) + offsets + jitter).flatten(0, 1)
    run = torch.arange(runs).repeat_interleave(checkpoints)
    return CheckpointSet(wanted, weights, run, torch.arange(checkpoints).repeat(runs), {})
