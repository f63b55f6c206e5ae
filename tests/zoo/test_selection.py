"""Collecting checkpoints of parts: against brute force, in one pass, without a second copy."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.fakes import FakeTask, FaultyTask

from zoogen.zoo import part_file
from zoogen.zoo.build import build_serially
from zoogen.zoo.plan import ZooConfig, plan_zoo
from zoogen.zoo.read import Zoo
from zoogen.zoo.selection import last_of_each
from zoogen.zoo.store import ArtifactStore


def test_last_rows_of_each_run_in_any_order() -> None:
    chance = np.random.default_rng(0)
    for count in (1, 2, 5):
        runs = chance.integers(0, 7, 40)
        expected = np.zeros(40, bool)
        for run in range(7):
            expected[np.flatnonzero(runs == run)[-count:]] = True
        assert (last_of_each(runs, count) == expected).all()
    assert last_of_each(np.empty(0, np.int64), 1).shape == (0,)


@pytest.mark.parametrize("rows_per_group", [1, 2, 100])
@pytest.mark.parametrize("last", [None, 1, 2, 4])
def test_selections_are_what_the_cohorts_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: int | None, rows_per_group: int
) -> None:
    """Cohorts that hold runs of two splits, diverged checkpoints at the end, in the middle and throughout."""
    monkeypatch.setattr("zoogen.zoo.parts._ROW_GROUP_ROWS", rows_per_group)
    task = _Wild(tmp_path / "count", checkpoints=4)
    plan = plan_zoo(ZooConfig(structures="2", runs=5, validation_runs=2, test_runs=3, cohort=4), task)
    store = ArtifactStore(tmp_path / "root")
    build_serially(plan, task, store)
    for split in ("train", "validation", "test"):
        expected = sorted(
            (run.run, int(step), cohort.weights[m, c].tolist())
            for spec in plan.cohorts
            for cohort in [task.train_cohort(spec)]
            for m, run in enumerate(spec.runs)
            for c, step in enumerate(cohort.steps)
            if plan.split_of(run.run) == split and bool(torch.isfinite(cohort.weights[m, c]).all())
        )
        if last is not None:
            keep = last_of_each(np.array([run for run, _, _ in expected]), last)
            expected = [row for row, kept in zip(expected, keep, strict=True) if kept]
        rows = Zoo(store, plan, task).select("2", split, last)
        assert list(zip(rows.runs.tolist(), rows.steps.tolist(), rows.weights.tolist(), strict=True)) == expected
        assert rows.metrics["training.loss"].shape == (len(expected),)
        assert rows.training_seconds == pytest.approx(0.5 * len({run for run, _, _ in expected}))


class _Wild(FaultyTask):
    """Its run 1 loses its last checkpoint, run 2 one in the middle, run 3 and the last test run all."""

    def train_cohort(self, spec, device="cpu", progress=None):  # type: ignore[no-untyped-def]
        cohort = super().train_cohort(spec, device, progress)
        for m, run in enumerate(spec.runs):
            lost = {1: [3], 2: [1], 3: [0, 1, 2, 3], 2_000_002: [0, 1, 2, 3]}.get(run.run, [])
            cohort.weights[m, lost] = torch.nan
        return cohort


def wide_zoo(tmp_path: Path, structure: str = "20000") -> Zoo:
    task, store = FakeTask(checkpoints=5), ArtifactStore(tmp_path)
    plan = plan_zoo(ZooConfig(structures=structure, runs=16, validation_runs=0, test_runs=0, cohort=4), task)
    build_serially(plan, task, store)
    return Zoo(store, plan, task)


def test_reading_holds_what_is_asked_for_and_one_row_group(tmp_path: Path) -> None:
    zoo = wide_zoo(tmp_path)
    for last in (None, 2):
        zoo.select("20000", "train", last)  # imports and caches
        tracemalloc.start()
        rows = zoo.select("20000", "train", last)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak <= 1.3 * rows.weights.nbytes, "numpy tells what it takes; decoding takes a row group at a time"


def test_bytes_of_other_rows_are_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoogen.zoo.parts._ROW_GROUP_ROWS", 4)
    zoo, fetched = wide_zoo(tmp_path), 0
    plain = part_file.PartBytes._fill

    def counted(self: part_file.PartBytes, ranges: list[tuple[int, int]]) -> None:
        nonlocal fetched
        fetched += sum(end - start for start, end in ranges)
        plain(self, ranges)

    monkeypatch.setattr(part_file.PartBytes, "_fill", counted)
    size, ends = 16 * 5 * 60_000 * 4, part_file._AT_ONCE * 4
    zoo.select("20000", "train")
    assert 0.8 * size < fetched < size + ends
    fetched = 0
    zoo.select("20000", "train", last=1)
    assert fetched < size / 5 + 2 * ends
    fetched = 0
    assert zoo.table("20000").num_rows == 80 and fetched < 2 * ends
