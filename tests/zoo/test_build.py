"""Building and reading a zoo: rows, splits, repetition, divergence, missing parts."""

import json
import math
import sys
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from tests.fakes import FakeTask, FaultyTask, TrunkTask

from zoogen.errors import DamagedError, ZoogenError
from zoogen.tasks.records import Cohort
from zoogen.zoo.build import build_part, build_serially, finish_zoo, manifest_key, missing_cohorts
from zoogen.zoo.parts import weights_of
from zoogen.zoo.plan import ZooConfig, part_key, plan_zoo
from zoogen.zoo.progress import ProgressMeter
from zoogen.zoo.provenance import Provenance, git_revision
from zoogen.zoo.read import Zoo
from zoogen.zoo.store import ArtifactStore
from zoogen.zoo.verify import open_part, parts_of

CONFIG = ZooConfig(structures=("2", "3"), runs=3, validation_runs=1, test_runs=2, cohort=2)


@pytest.fixture
def built(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOOGEN_GIT_REVISION", "0123abc")
    task = FakeTask()
    plan, store = plan_zoo(CONFIG, task), ArtifactStore(tmp_path)
    return task, plan, store, build_serially(plan, task, store)


def test_a_part_is_what_the_task_trained(built):
    task, plan, store, _ = built
    spec = plan.cohorts_of("3", "test")[0]
    cohort = task.train_cohort(spec)
    table = pq.read_table(store.local_path_of(part_key(spec)))
    flat = cohort.weights.transpose(0, 1).flatten(0, 1)  # by checkpoint, then by run
    assert table["weights"].type == pa.fixed_shape_tensor(pa.float32(), [9])
    assert (weights_of(table) == flat.numpy()).all()
    rows = table.drop_columns(["weights"]).to_pylist()
    assert len({row["id"] for row in rows}) == len(rows) == 2 * 3
    scores = task.score("3", flat)
    for index, row in enumerate(rows):
        checkpoint, position = divmod(index, 2)
        run = spec.runs[position]
        assert (row["task"], row["structure"], row["label"], row["split"]) == ("fake", "3", "F3", "test")
        assert (row["run"], row["seed"], row["init_seed"]) == (run.run, run.seed, run.init_seed)
        assert (row["checkpoint"], row["step"]) == (checkpoint, checkpoint + 1)
        assert row["exact.js"] == float(scores.metric("exact.js")[index])
        assert row["sampled.l1"] == float(scores.metric("sampled.l1")[index])
        assert row["training.loss"] == float(cohort.training["loss"][position, checkpoint])
        assert row["seconds"] == cohort.seconds / 2
        assert (row["objective"], row["optimiser"], row["cohort"]) == ("fake", "halving", spec.digest)
        assert (
            row["torch_version"] == Provenance.current().torch_version
            and row["python_version"] == sys.version.split()[0]
        )
        assert row["git_revision"] == "0123abc"


def test_encodings_and_row_groups(tmp_path):
    task = FakeTask(checkpoints=100)
    plan = plan_zoo(ZooConfig(structures="4", runs=2, validation_runs=0, test_runs=0), task)
    store = ArtifactStore(tmp_path)
    build_serially(plan, task, store)
    stored = pq.ParquetFile(store.local_path_of(part_key(plan.cohorts[0]))).metadata
    columns = {c.path_in_schema: c for c in (stored.row_group(0).column(i) for i in range(stored.num_columns))}
    assert "BYTE_STREAM_SPLIT" in columns["weights.list.element"].encodings
    assert {c.compression for c in columns.values()} == {"ZSTD"}
    file = open_part(store, *parts_of(plan.cohorts))
    assert file.rows == [200] and file.columns.num_rows == 200
    metadata = file.metadata
    assert (
        metadata["floors"]["sampled"]["perfect"] == {"l1": 0.01} and metadata["settings"]["sampled"]["samples"] == 100
    )


def test_selection_by_split_never_mixes_runs(built):
    task, plan, store, report = built
    zoo, seen = Zoo(store, plan, task), {}
    for structure in plan.structures:
        for split, runs in (("train", 3), ("validation", 1), ("test", 2)):
            rows = zoo.select(structure, split)
            assert len(rows) == runs * 3 and rows.weights.dtype == torch.float32
            assert rows.target == task.target(structure)
            assert rows.runs.tolist() == sorted(r for r in plan.runs_of(split) for _ in range(3))
            assert rows.steps.tolist() == [1, 2, 3] * runs
            assert rows.training_seconds == runs * 0.5
            expected = task.score(structure, rows.weights).metric("exact.js")
            assert torch.equal(rows.metrics["exact.js"], expected) and rows.metrics["exact.js"].dtype == torch.float64
            seen[structure, split] = {tuple(w) for w in rows.weights.tolist()}
    for structure in plan.structures:
        train, validation, test = (seen[structure, s] for s in ("train", "validation", "test"))
        assert not (train & validation or train & test or validation & test)
    assert zoo.training_seconds() == sum(part.training_seconds for part in report.parts) == 2 * 6 * 0.5


def test_last_checkpoints_of_each_run(built):
    task, plan, store, _ = built
    zoo = Zoo(store, plan, task)
    rows = zoo.select("2", "train", last=2)
    assert rows.steps.tolist() == [2, 3] * 3 and rows.runs.tolist() == [0, 0, 1, 1, 2, 2]
    assert torch.equal(rows.last(1).weights, zoo.select("2", "train").weights[2::3])
    for last in (0, 4):
        with pytest.raises(ZoogenError, match="the zoo has 3; ask for 1 to 3"):
            zoo.select("2", "train", last=last)


def test_repetition_trains_nothing(tmp_path):
    task = FaultyTask(tmp_path / "count")
    plan, store = plan_zoo(CONFIG, task), ArtifactStore(tmp_path / "root")
    first = build_serially(plan, task, store)
    again = build_serially(plan, task, store)
    assert (first.reused, len(first.parts), first.checkpoints) == (0, 8, 36) and len(plan.cohorts) == 8
    assert (again.reused, again.parts, again.digest, again.manifest) == (8, (), first.digest, first.manifest)
    assert task.trainings() == {c.digest: 1 for c in plan.cohorts}
    assert build_part(task, plan.cohorts[0], store).trained is False

    grown = plan_zoo(CONFIG.model_copy(update={"runs": 4}), task)
    report = build_serially(grown, task, store)
    assert (report.reused, len(report.parts)) == (6, 2), "one new training cohort for each structure"


def test_the_manifest_says_what_the_zoo_is_and_comes_last(tmp_path):
    task = FaultyTask(tmp_path / "count", fails=("3",))
    plan, store = plan_zoo(CONFIG, task), ArtifactStore(tmp_path / "root")
    with pytest.raises(ValueError):
        build_serially(plan, task, store)
    assert not store.exists(manifest_key(plan.digest))
    with pytest.raises(ZoogenError, match="lacks 4 of 8 cohorts"):
        finish_zoo(plan, store)
    assert [c.structure for c in missing_cohorts(plan, store)] == ["3"] * 4

    good = FakeTask()
    plan = plan_zoo(CONFIG, good)
    report = build_serially(plan, good, store)
    manifest = json.loads(store.get(manifest_key(plan.digest)))
    assert report.manifest == store.uri_of(manifest_key(plan.digest))
    assert manifest["digest"] == plan.digest and ZooConfig(**manifest["config"]) == CONFIG
    assert manifest["task"] == good.resolved()
    assert all(store.exists(cohort["key"]) for cohort in manifest["cohorts"])
    assert manifest["splits"] == {"train": [0, 1, 2], "validation": [1_000_000], "test": [2_000_000, 2_000_001]}


def test_an_incomplete_zoo_says_what_lacks_and_what_to_do(built):
    task, plan, store, _ = built
    zoo = Zoo(store, plan, task)
    path = store.local_path_of(part_key(plan.cohorts_of("2", "train")[0]))
    path.unlink()
    with pytest.raises(ZoogenError, match=r"F2 \(2\) has 1 of 2 cohorts; run `zoogen build-zoo`") as error:
        zoo.select("2", "train")
    assert "\n" not in str(error.value) and plan.digest in str(error.value)
    assert len(zoo.select("2", "test")) == 6, "what is there can be read"
    with pytest.raises(ZoogenError, match="incomplete"):
        zoo.training_seconds()
    path.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(DamagedError, match=r"is damaged \(.*\); the next build makes it again: `zoogen b") as error:
        zoo.select("2", "train")
    assert "\n" not in str(error.value)


def test_unknown_structures_and_empty_splits(built, tmp_path):
    task, plan, store, _ = built
    with pytest.raises(ZoogenError, match=r"holds no structure '5'; it holds F2 \(2\), F3 \(3\)"):
        Zoo(store, plan, task).select("5", "train")
    plan = plan_zoo(ZooConfig(structures="2", runs=1, validation_runs=0, test_runs=1), task)
    build_serially(plan, task, store)
    with pytest.raises(ZoogenError, match="set zoo.validation_runs to 1 or more"):
        Zoo(store, plan, task).select("2", "validation")


def test_diverged_checkpoints_are_left_out_and_named(tmp_path):
    task = FaultyTask(tmp_path / "count", diverges=(1, 2_000_000))
    plan, store = plan_zoo(CONFIG, task), ArtifactStore(tmp_path / "root")
    report = build_serially(plan, task, store)
    assert report.diverged == 4
    assert {item for part in report.parts for item in part.diverged} == {(1, 3), (2_000_000, 3)}
    assert any("F2: 1 of 6 checkpoints diverged" in notice for notice in report.notices)
    rows = Zoo(store, plan, task).select("2", "train")
    assert list(zip(rows.runs.tolist(), rows.steps.tolist(), strict=True)) == [
        (run, step) for run in (0, 1, 2) for step in (1, 2, 3) if (run, step) != (1, 3)
    ]
    assert bool(torch.isfinite(rows.weights).all())


def test_a_cohort_of_nothing_but_nan_is_committed_empty(tmp_path):
    task = FaultyTask(tmp_path / "count", checkpoints=1, diverges=(0, 2_000_000))
    config = ZooConfig(structures="2", runs=2, validation_runs=0, test_runs=1, cohort=1)
    plan, store = plan_zoo(config, task), ArtifactStore(tmp_path / "root")
    build_serially(plan, task, store)
    zoo = Zoo(store, plan, task)
    assert zoo.select("2", "train").runs.tolist() == [1]
    assert zoo.table("2", "train").num_rows == 1
    with pytest.raises(ZoogenError, match=r"every test checkpoint of F2 \(2\) diverged"):
        zoo.select("2", "test")
    assert build_serially(plan, task, store).parts == (), "and not trained again"


def test_two_builders_of_one_part_leave_one(tmp_path):
    task = FaultyTask(tmp_path / "count", delay=0.2)
    plan, store = plan_zoo(CONFIG, task), ArtifactStore(tmp_path / "root")
    with ThreadPoolExecutor(3) as pool:
        reports = list(pool.map(lambda _: build_part(task, plan.cohorts[0], store), range(3)))
    assert sum(report.committed for report in reports) == 1


def test_wrong_shapes_are_refused(tmp_path):
    class Wrong(FakeTask):
        def train_cohort(self, spec, device="cpu", progress=None):
            cohort = super().train_cohort(spec, device, progress)
            return Cohort(spec, cohort.steps, cohort.weights[..., 1:], {}, 1.0)

    task, store = Wrong(), ArtifactStore(tmp_path)
    with pytest.raises(ValueError, match=r"shape \[2, 3, 5\], expected \[2, 3, 6\]"):
        build_part(task, plan_zoo(CONFIG, task).cohorts[0], store)
    assert store.list("zoo") == []


def test_reading_from_a_remote_store():
    task, store = FakeTask(), ArtifactStore("memory://reading")
    plan = plan_zoo(CONFIG, task)
    build_serially(plan, task, store)
    rows = Zoo(store, plan, task).select("3", "train")
    assert rows.runs.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_structures_without_an_exact_judge(tmp_path):
    task, store = FakeTask(exact_limit=2), ArtifactStore(tmp_path)
    plan = plan_zoo(CONFIG, task)
    report = build_serially(plan, task, store)
    assert report.notices == ("structure 3 is too large for the exact judge",)
    zoo = Zoo(store, plan, task)
    assert "exact.js" in zoo.select("2", "train").metrics and "exact.js" not in zoo.select("3", "train").metrics


def test_progress_counts(tmp_path):
    task, seen = FakeTask(), []
    plan = plan_zoo(CONFIG, task)
    build_serially(plan, task, ArtifactStore(tmp_path), seen.append)
    done = [p.cohorts_done for p in seen]
    assert done == sorted(done) and done[-1] == 8 and seen[-1].fraction == 1 and seen[-1].checkpoints == 36
    assert all(p.cohorts_expected == 8 and 0 <= p.fraction <= 1 for p in seen)


def test_estimates_of_the_meter():
    now = [0.0]
    meter = ProgressMeter(expected=10, reused=4, clock=lambda: now[0])
    assert math.isnan(meter.snapshot().seconds_left)
    meter.start("a"), meter.start("b")
    now[0] = 10.0
    meter.finish("a", 20)
    meter.update("b", 50, 100, {"loss": 3.0})
    snapshot = meter.snapshot("hello")
    assert (snapshot.cohorts_done, snapshot.workers, snapshot.checkpoints, snapshot.message) == (5, 1, 20, "hello")
    assert snapshot.checkpoints_per_second == pytest.approx((20 + 10) / 10)
    assert snapshot.seconds_left == pytest.approx(10 * (6 - 1.5) / 1.5)
    assert snapshot.fraction == pytest.approx((4 + 1.5) / 10) and snapshot.loss == 3.0
    meter.lost("b")
    assert math.isnan(meter.snapshot().loss) and meter.snapshot().workers == 0


def test_revision_comes_from_the_environment_or_is_unknown(monkeypatch):
    monkeypatch.setenv("ZOOGEN_GIT_REVISION", "abc")
    assert git_revision() == "abc"
    monkeypatch.setenv("ZOOGEN_GIT_REVISION", "")
    monkeypatch.setenv("PATH", "")
    assert git_revision() == "unknown"


def test_structures_are_prepared_once_before_their_cohorts(tmp_path):
    task, seen = TrunkTask(tmp_path / "count"), []
    plan, store = plan_zoo(CONFIG, task), ArtifactStore(tmp_path / "root")
    build_serially(plan, task, store, seen.append)
    assert task.preparations() == {"2": 1, "3": 1}
    assert sorted(store.list("trunks")) == ["trunks/2.bin", "trunks/3.bin"]
    told = [snapshot for snapshot in seen if snapshot.message]
    assert [snapshot.message for snapshot in told[:2]] == ["preparing F2", "preparing F2"]
    assert {snapshot.cohorts_done for snapshot in told} == {0} and not math.isnan(told[0].prepared)
    assert math.isnan(seen[-1].prepared) and seen[-1].fraction == 1
    build_serially(plan, task, store)
    assert sum(task.preparations().values()) == 2
    assert task.assets is None, "the caller's task is left alone"


def test_a_part_on_its_own_is_prepared_too(tmp_path):
    task = TrunkTask(tmp_path / "count")
    plan, store = plan_zoo(CONFIG, task), ArtifactStore(tmp_path / "root")
    assert build_part(task, plan.cohorts[0], store).committed
    assert build_part(task, plan.cohorts[1], store).committed
    assert task.preparations() == {"2": 1}
