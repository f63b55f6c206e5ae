"""Selections of checkpoints."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from zoogen.weights.layout import ParameterLayout
from zoogen.weights.target import Target
from zoogen.zoo.read import CheckpointSet, LearntZoo


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


def test_rows_take_their_runs_share_of_the_training_time() -> None:
    whole = replace(checkpoints(), training_seconds=6.0)
    assert whole.best_runs(2 / 3, "exact.js").training_seconds == pytest.approx(4.0)
    assert whole.last().training_seconds == 6.0, "all runs are there"


def test_a_learnt_zoo_trains_on_what_was_learnt_and_holds_out_everything() -> None:
    class Whole:
        plan = "the plan"
        task = SimpleNamespace(canonical=lambda name: name.strip())

        def select(self, structure: str, split: str) -> str:
            return f"all {split} rows of {structure}"

    rows = checkpoints().last()
    zoo = LearntZoo(Whole(), {rows.target.structure: rows}.__getitem__)  # type: ignore[arg-type]
    name = rows.target.structure
    assert zoo.select(f" {name}", "train") is rows
    assert zoo.select(name, "test") == f"all test rows of {name}" and zoo.plan == "the plan"


def test_last_checkpoints_of_every_run() -> None:
    assert checkpoints().last().weights.flatten().tolist() == [1, 3, 5]
