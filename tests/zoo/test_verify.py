"""Parts that are damaged, another's, or not what the plan says: found by what reads them, never used, built again."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.fakes import FakeTask, FaultyTask
from tests.flips import flipped_bits, reads_of_flipped

from zoogen.errors import DamagedError, ZoogenError
from zoogen.zoo.build import build_serially, manifest_key, missing_cohorts, plan_manifest_key
from zoogen.zoo.export import export_safetensors, export_table, list_zoos, rows_frame
from zoogen.zoo.part_file import METADATA_KEY
from zoogen.zoo.parts import table_to_parquet, tensor_column, weights_of
from zoogen.zoo.plan import ZooConfig, ZooPlan, part_key, plan_zoo
from zoogen.zoo.read import Zoo
from zoogen.zoo.store import ArtifactStore
from zoogen.zoo.verify import damage_of, parts_of

CONFIG = ZooConfig(structures="2", runs=2, validation_runs=1, test_runs=1, cohort=2)


@pytest.fixture
def zoo(tmp_path: Path) -> Zoo:
    task, store = FakeTask(), ArtifactStore(tmp_path / "root")
    plan = plan_zoo(CONFIG, task)
    build_serially(plan, task, store)
    return Zoo(store, plan, task)


def path_of(zoo: Zoo, cohort: int = 0) -> Path:
    path = zoo.store.local_path_of(part_key(zoo.plan.cohorts[cohort]))
    assert path is not None
    return path


def content(zoo: Zoo) -> tuple[object, ...]:
    """Everything that can be read of the training runs."""
    rows = zoo.select("2", "train")
    metrics = {name: values.tolist() for name, values in rows.metrics.items()}
    return rows.weights.tolist(), rows.runs.tolist(), rows.steps.tolist(), metrics, zoo.table("2", "train").to_pylist()


def test_no_flipped_bit_is_read(zoo: Zoo) -> None:
    messages = reads_of_flipped(path_of(zoo), lambda: content(zoo), 60)
    assert len(messages) == 60 and all(str(path_of(zoo)) in message for message in messages)
    assert all(message.endswith("the next build makes it again: `zoogen build-zoo`") for message in messages)


def test_every_flipped_bit_is_seen_by_the_next_build(zoo: Zoo) -> None:
    data = path_of(zoo).read_bytes()
    for flipped in flipped_bits(data, 40, seed=1):
        path_of(zoo).write_bytes(flipped)
        assert missing_cohorts(zoo.plan, zoo.store, sound=zoo.task) == zoo.plan.cohorts[:1]


def rewritten(change: Callable[[pa.Table], pa.Table], seal: bool) -> Callable[[Zoo], None]:
    """A part with a changed table: written by Parquet itself, or as a part is, with all hashes right."""

    def rewrite(zoo: Zoo) -> None:
        table = pq.read_table(path_of(zoo))
        metadata, table = table.schema.metadata, change(table)
        if seal:
            path_of(zoo).write_bytes(table_to_parquet(table, json.loads(metadata[METADATA_KEY])))
        else:
            pq.write_table(table.replace_schema_metadata(metadata), path_of(zoo))

    return rewrite


def half(table: pa.Table) -> pa.Table:
    return table.slice(0, table.num_rows // 2)


def doubled(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table, table])


def swapped(table: pa.Table) -> pa.Table:
    return table.take(list(range(table.num_rows))[::-1])


def with_nan(table: pa.Table) -> pa.Table:
    weights = weights_of(table).copy()
    weights[1, 2] = np.nan
    return table.set_column(len(table.column_names) - 1, "weights", tensor_column(weights))


def shorter(table: pa.Table) -> pa.Table:
    weights = np.ascontiguousarray(weights_of(table)[:, 1:])
    return table.set_column(len(table.column_names) - 1, "weights", tensor_column(weights))


def without_seed(table: pa.Table) -> pa.Table:
    return table.drop_columns(["seed"])


def of_the_wrong_split(table: pa.Table) -> pa.Table:
    column = table.column_names.index("split")
    return table.set_column(column, "split", pa.array(["test"] * table.num_rows))


def another_name(zoo: Zoo) -> None:
    shutil.copy(path_of(zoo, 1), path_of(zoo))


def cut(zoo: Zoo) -> None:
    path_of(zoo).write_bytes(path_of(zoo).read_bytes()[:-1])


def emptied(zoo: Zoo) -> None:
    path_of(zoo).write_bytes(b"")


DAMAGE = {
    "another's part": (another_name, "it is the part of cohort"),
    "cut": (cut, "seal|too short"),
    "empty": (emptied, "too short"),
    **{
        f.__name__: (rewritten(f, False), "seal|too short")
        for f in (half, doubled, swapped, with_nan, shorter, without_seed)
    },
    "half, sealed": (rewritten(half, True), "it holds 3 rows, not 6"),
    "doubled, sealed": (rewritten(doubled, True), "it holds 12 rows, not 6"),
    "swapped, sealed": (rewritten(swapped, True), "not those of its runs and steps"),
    "without a column, sealed": (rewritten(without_seed, True), "columns are missing: seed"),
    "of the wrong split, sealed": (rewritten(of_the_wrong_split, True), "wrong split"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_named_never_used_and_built_again(zoo: Zoo, name: str, tmp_path: Path) -> None:
    damage, reason = DAMAGE[name]
    before = content(zoo)
    damage(zoo)
    (listing,) = list_zoos(zoo.store)
    assert (listing.cohorts_done, listing.cohorts_expected, len(listing.damaged)) == (1, 2, 1)
    for read in (
        lambda: zoo.select("2", "train"),
        lambda: zoo.select("2", "train", last=1),
        lambda: zoo.table("2"),
        zoo.training_seconds,
        lambda: rows_frame(zoo, weights=True),
        lambda: export_table(zoo, tmp_path / "rows.parquet", weights=True),
        lambda: export_safetensors(zoo, tmp_path / "nets"),
    ):
        with pytest.raises(
            DamagedError, match=rf"{path_of(zoo)} is damaged \(.*({reason}).*\); the next build"
        ) as error:
            read()
        assert "\n" not in str(error.value) and str(error.value) == listing.damaged[0]
    assert not (tmp_path / "rows.parquet").exists() and not (tmp_path / "nets").exists()

    report = build_serially(zoo.plan, zoo.task, zoo.store)
    assert (report.reused, report.built, len(report.parts)) == (1, 1, 1)
    assert any(f"{part_key(zoo.plan.cohorts[0])} is damaged (" in notice for notice in report.notices)
    assert content(zoo) == before and build_serially(zoo.plan, zoo.task, zoo.store).parts == ()


def test_weights_that_are_not_finite_are_neither_written_nor_read(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="finite"):
        rewritten(with_nan, True)(zoo)
    monkeypatch.setattr("zoogen.zoo.parts.np.isfinite", lambda _: np.True_)
    rewritten(with_nan, True)(zoo)
    monkeypatch.undo()
    with pytest.raises(DamagedError, match="weights that are not finite"):
        zoo.select("2", "train")


def test_what_is_not_asked_for_is_not_compared(zoo: Zoo) -> None:
    """Other parts, and weights where rows alone are asked for: reading takes what it needs and no more."""
    rows, stored = zoo.table("2"), pq.ParquetFile(path_of(zoo)).metadata.row_group(0)
    data = bytearray(path_of(zoo).read_bytes())
    data[stored.column(stored.num_columns - 1).data_page_offset + 9] ^= 1
    path_of(zoo).write_bytes(data)
    assert len(zoo.select("2", "test")) == 3 and zoo.table("2") == rows
    with pytest.raises(DamagedError, match="its content does not fit its seal"):
        zoo.select("2", "train")


def test_weights_of_another_length_are_another_task_s(zoo: Zoo) -> None:
    rewritten(shorter, True)(zoo)
    with pytest.raises(DamagedError, match=r"its weights have shape \[5\], the task's have \[6\]"):
        zoo.select("2", "train")
    assert missing_cohorts(zoo.plan, zoo.store, sound=zoo.task) == zoo.plan.cohorts[:1]


def test_a_remote_part_is_compared_too() -> None:
    task, store = FakeTask(), ArtifactStore("memory://damaged")
    plan = plan_zoo(CONFIG, task)
    build_serially(plan, task, store)
    key = part_key(plan.cohorts[0])
    data = store.get(key)
    for flipped in flipped_bits(data, 10):
        assert store.replace(key, flipped, store.version(key))
        with pytest.raises(DamagedError, match="memory://damaged/zoo/parts"):
            Zoo(store, plan, task).select("2", "train")
    report = build_serially(plan, task, store)
    assert report.built == 1 and len(Zoo(store, plan, task).select("2", "train")) == 6


def test_recorded_divergences_are_the_only_rows_that_may_lack(tmp_path: Path) -> None:
    task, store = FaultyTask(tmp_path / "count", diverges=(1,)), ArtifactStore(tmp_path / "root")
    plan = plan_zoo(CONFIG, task)
    build_serially(plan, task, store)
    zoo = Zoo(store, plan, task)
    assert len(zoo.select("2", "train")) == 5 and damage_of(store, *parts_of(plan.cohorts[:1], task)) is None
    table = pq.read_table(path_of(zoo))
    metadata = json.loads(table.schema.metadata[METADATA_KEY])
    path_of(zoo).write_bytes(table_to_parquet(table, {**metadata, "diverged": []}))
    with pytest.raises(DamagedError, match="it holds 5 rows, not 6"):
        zoo.select("2", "train")


def test_networks_of_something_that_was_made_anew_otherwise_are_others(zoo: Zoo, tmp_path: Path) -> None:
    class Rooted(FakeTask):
        """Networks that share a trunk, which lies beside them."""

        def shared(self, structure: str) -> dict[str, str]:
            return {"fixed": (tmp_path / "trunk").read_text()} if (tmp_path / "trunk").exists() else {}

        def train_cohort(self, spec, device="cpu", progress=None):  # type: ignore[no-untyped-def]
            return replace(super().train_cohort(spec, device, progress), columns=self.shared(spec.structure))

    task, store = Rooted(), ArtifactStore(tmp_path / "rooted")
    plan = plan_zoo(CONFIG, task)
    (tmp_path / "trunk").write_text("one")
    build_serially(plan, task, store)
    assert build_serially(plan, task, store).parts == ()
    (tmp_path / "trunk").write_text("two")
    with pytest.raises(DamagedError, match="it has rows of fixed one, not two"):
        Zoo(store, plan, task).select("2", "train")
    assert build_serially(plan, task, store).built == 2
    assert set(Zoo(store, plan, task).table("2")["fixed"].to_pylist()) == {"two"}


@pytest.mark.parametrize("key", [manifest_key, plan_manifest_key])
def test_damaged_manifests_are_written_again(zoo: Zoo, key: Callable[[str], str]) -> None:
    path = zoo.store.local_path_of(key(zoo.plan.digest))
    assert path is not None
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"runs": 2', b'"runs": 3'))
    assert [listing.config["runs"] for listing in list_zoos(zoo.store)] == [2], "the other one says it"
    build_serially(zoo.plan, zoo.task, zoo.store)
    assert path.read_bytes() == whole


def test_a_manifest_of_another_zoo_is_refused(zoo: Zoo) -> None:
    plan: ZooPlan = plan_zoo(CONFIG.model_copy(update={"runs": 3}), zoo.task)
    zoo.store.put_if_absent(manifest_key(plan.digest), zoo.store.get(manifest_key(zoo.plan.digest)))
    with pytest.raises(ZoogenError, match=f"it is that of zoo '{zoo.plan.digest}'"):
        list_zoos(zoo.store)
