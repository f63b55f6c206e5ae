"""Listing and exporting zoos."""

import pyarrow.parquet as pq
import pytest
import torch
from tests.fakes import FakeTask, FaultyTask

from zoogen.errors import ZoogenError
from zoogen.seal import sealed_json
from zoogen.weights.files import read_weights
from zoogen.zoo.build import build_serially, plan_manifest_key
from zoogen.zoo.export import export_safetensors, export_table, find_zoo, list_zoos, plan_of, rows_frame
from zoogen.zoo.plan import ZooConfig, part_key, plan_zoo
from zoogen.zoo.read import Zoo
from zoogen.zoo.store import ArtifactStore

CONFIG = ZooConfig(structures=("2", "3"), runs=3, validation_runs=1, test_runs=2, cohort=2)


@pytest.fixture
def zoo(tmp_path):
    task, store = FakeTask(exact_limit=2), ArtifactStore(tmp_path / "root")
    plan = plan_zoo(CONFIG, task)
    build_serially(plan, task, store)
    return Zoo(store, plan, task)


def test_listing_counts_finished_and_unfinished_zoos(zoo, tmp_path):
    assert list_zoos(ArtifactStore(tmp_path / "nothing")) == []
    broken = FaultyTask(tmp_path / "count", checkpoints=2, fails=("3",))
    with pytest.raises(ValueError):
        build_serially(plan_zoo(CONFIG, broken), broken, zoo.store)
    listed = {listing.digest: listing for listing in list_zoos(zoo.store)}
    assert len(listed) == 2
    done, begun = listed.pop(zoo.plan.digest), next(iter(listed.values()))
    assert (done.complete, done.cohorts_done, done.cohorts_expected) == (True, 8, 8)
    assert (done.task, done.structures, dict(done.runs)) == (
        "fake",
        ("2", "3"),
        {"train": 3, "validation": 1, "test": 2},
    )
    assert (begun.complete, begun.cohorts_done, begun.cohorts_expected) == (False, 4, 8)


def test_a_zoo_of_unequal_runs_is_listed_selected_and_exported(tmp_path):
    task, store = FakeTask(), ArtifactStore(tmp_path / "root")
    plan = plan_zoo(CONFIG.model_copy(update={"runs_of": {"3": 5}}), task)
    build_serially(plan, task, store)
    zoo, listing = Zoo(store, plan, task), find_zoo(store, plan.digest)
    assert (listing.complete, listing.fewest, dict(listing.runs)["train"]) == (True, 3, 5)
    assert plan_of(listing, task).digest == plan.digest
    assert [len(zoo.select(name, "train", last=1)) for name in ("2", "3")] == [3, 5]
    assert [len(zoo.select(name, "test", last=1)) for name in ("2", "3")] == [2, 2]
    for path, count in zip(export_safetensors(zoo, tmp_path / "nets", split="train", last=1), (3, 5), strict=True):
        assert len(read_weights(path).tensors["dense1.bias"]) == count


def test_a_listed_zoo_can_be_opened_again(zoo):
    listing = find_zoo(zoo.store, zoo.plan.digest[:4])
    assert plan_of(listing, zoo.task).digest == zoo.plan.digest
    with pytest.raises(ZoogenError, match="another version of zoogen or of its task"):
        plan_of(listing, FakeTask(checkpoints=7))
    with pytest.raises(ZoogenError, match=f"no zoo begins with 'x'.*{zoo.plan.digest}"):
        find_zoo(zoo.store, "x")


def test_unreadable_manifests_are_named(zoo):
    for name, content in (
        ("broken", b"{"),
        ("list", b"[]"),
        ("poor", sealed_json({"config": {}, "task": {}, "cohorts": [1], "splits": {}, "digest": "poor"})),
        ("bare", b'{"config":{},"task":{},"cohorts":[],"splits":{},"digest":"bare"}'),
    ):
        store = ArtifactStore(f"memory://{name}")
        store.put_if_absent(plan_manifest_key(name), content)
        with pytest.raises(ZoogenError, match=rf"{name}\.json is damaged \(it (is no manifest|has no seal)") as error:
            list_zoos(store)
        assert "\n" not in str(error.value)


def test_data_frame(zoo):
    frame = rows_frame(zoo)
    assert len(frame) == 2 * 6 * 3 and "weights" not in frame.columns
    assert frame[frame.structure == "3"]["exact.js"].isna().all() and frame["sampled.l1"].notna().all()
    frame = rows_frame(zoo, ["3"], "test", weights=True)
    assert set(frame.split) == {"test"} and frame.weights.iloc[0].shape == (9,)
    first = zoo.select("3", "test")
    match = frame[(frame.run == int(first.runs[0])) & (frame.step == int(first.steps[0]))]
    assert (match.weights.iloc[0] == first.weights[0].numpy()).all()


def test_tables(zoo, tmp_path):
    import pandas as pd

    assert export_table(zoo, tmp_path / "rows.csv") == 36
    frame = pd.read_csv(tmp_path / "rows.csv", float_precision="round_trip")
    assert frame["sampled.l1"].tolist() == rows_frame(zoo)["sampled.l1"].tolist()
    assert export_table(zoo, tmp_path / "out" / "rows.parquet", ["2", "3"], "train", weights=True) == 18
    table = pq.read_table(tmp_path / "out" / "rows.parquet")
    assert {len(w) for w in table["weights"].to_pylist()} == {6, 9}
    for name, weights in (("rows.xlsx", False), ("rows.csv", True)):
        with pytest.raises(ZoogenError, match="the name must end in"):
            export_table(zoo, tmp_path / name, weights=weights)


def test_safetensors(zoo, tmp_path):
    paths = export_safetensors(zoo, tmp_path / "nets", split="test", last=1)
    assert [path.name for path in paths] == ["2-test.safetensors", "3-test.safetensors"]
    file, rows = read_weights(paths[1]), zoo.select("3", "test", last=1)
    assert {name: list(tensor.shape) for name, tensor in file.tensors.items()} == {
        "dense1.weight": [2, 3, 2],
        "dense1.bias": [2, 3],
    }
    assert torch.equal(rows.target.layout.flatten(file.tensors), rows.weights)
    assert file.metadata["zoo"] == zoo.plan.digest and file.metadata["activation"] == "none"
    assert file.metadata["runs"] == "[2000000, 2000001]" and file.metadata["structure"] == "3"


def test_exporting_an_incomplete_zoo_writes_nothing(zoo, tmp_path):
    zoo.store.local_path_of(part_key(zoo.plan.cohorts_of("2", "train")[0])).unlink()
    for call in (
        lambda: export_safetensors(zoo, tmp_path / "nets"),
        lambda: export_table(zoo, tmp_path / "rows.csv"),
    ):
        with pytest.raises(ZoogenError, match="incomplete"):
            call()
    assert not (tmp_path / "nets").exists() and not (tmp_path / "rows.csv").exists()
