"""Selections of checkpoints."""

import torch

from zoogen.weights.layout import ParameterLayout
from zoogen.weights.target import Target
from zoogen.zoo.read import CheckpointSet


def checkpoints() -> CheckpointSet:
    """Three runs of two checkpoints; the metric of the first checkpoints would rank them otherwise."""
    return CheckpointSet(
        Target("s", "s", ParameterLayout.of({"w": (1,)}), (1.0,)),
        weights=torch.arange(6.0).unsqueeze(1),
        runs=torch.tensor([4, 4, 7, 7, 9, 9]),
        steps=torch.tensor([1, 2, 1, 2, 1, 2]),
        metrics={"exact.js": torch.tensor([0.1, 0.3, 0.9, 0.1, 0.5, 0.2], dtype=torch.float64)},
    )


def test_best_runs_are_ranked_by_their_last_checkpoint_and_kept_whole() -> None:
    assert checkpoints().best_runs(2 / 3, "exact.js").weights.flatten().tolist() == [2, 3, 4, 5]
    assert checkpoints().best_runs(0.01, "exact.js").runs.tolist() == [7, 7]
    assert len(checkpoints().best_runs(1.0, "exact.js")) == 6


def test_last_checkpoints_of_every_run() -> None:
    assert checkpoints().last().weights.flatten().tolist() == [1, 3, 5]
