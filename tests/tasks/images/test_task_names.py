"""The images task: names, conditions, configurations, files, and what it refuses."""

import pickle
from pathlib import Path

import pytest
import torch
from tests.tasks.images.small import NARROW, SMALL, cohort, made, small_zoo

from zoogen.errors import ZoogenError
from zoogen.tasks.assets import MemoryAssets
from zoogen.tasks.images.data import load
from zoogen.tasks.images.structure import images_of
from zoogen.tasks.registry import task_from_mapping
from zoogen.zoo.plan import ZooConfig, plan_zoo

OWN = """
from torch import nn

subset = ["3.*"]
size = 8


def network(channels, size, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * size**2, 16), nn.Tanh(), nn.Linear(16, classes))
"""


def test_conditions() -> None:
    sets = [f"cnn-small@glyphs-{n}" for n in range(3)]
    data = {"limit": 40, "glyphs": {"images": 20}}
    assert made().condition(SMALL) == (0.0,)
    indexed = made(condition="index", conditions=[*sets, SMALL])
    assert [indexed.condition(name) for name in ("cnn-small@Glyphs 2", SMALL)] == [(0, 0, 1, 0), (0, 0, 0, 1)]
    with pytest.raises(ZoogenError, match="structure mlp-mini@digits is none of task.conditions"):
        indexed.condition("mlp-mini@digits")
    described = made(condition="data", data=data)
    rows = torch.tensor([described.condition(name) for name in (*sets, SMALL)])
    assert rows.shape == (4, 32) and bool(rows.isfinite().all()) and float(rows.abs().max()) < 10
    assert described.condition(sets[0]) == described.condition(sets[0])
    assert float(torch.cdist(rows, rows).add(torch.eye(4)).min()) > 0.01


def test_what_names_a_cohort() -> None:
    one, other = (
        made(condition="index", conditions=[SMALL]),
        made(judged_at_once=3, data={"limit": 150, "glyphs": {"noise": 0}}),
    )
    assert one.resolved_for(SMALL) == other.resolved_for(SMALL) == made().resolved_for("cnn-small@Digits")
    glyphs = "cnn-small@glyphs-0"
    assert one.resolved_for(glyphs) != other.resolved_for(glyphs)
    again = task_from_mapping(one.resolved())
    assert again.resolved() == one.resolved() and again.condition(SMALL) == (1.0,)


def test_places_name_nothing() -> None:
    data = {"limit": 150}
    here, there = made(data=data | {"root": "/here"}), made(data=data | {"root": "/there"})
    assert here.resolved_for(SMALL) == there.resolved_for(SMALL) == made().resolved_for(SMALL)
    assert here.identity() == there.identity() == made().identity() == made().resolved()
    assert here.resolved()["data"]["root"] == "/here", "a task made of it finds its data"
    config = ZooConfig(structures=(SMALL,), runs=1, validation_runs=0, test_runs=0)
    assert plan_zoo(config, here).digest == plan_zoo(config, there).digest


def test_cohorts_find_their_data_where_the_task_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(load, "_hub", lambda name, size, channels, config: asked.append(config.root) or digits)
    digits = images_of(made().config, SMALL)
    structure, task = "cnn-small@mnist", made(data={"limit": 150, "root": str(tmp_path)})
    cohort(task.using(MemoryAssets()), structure)
    assert set(asked) == {str(tmp_path)}


def test_files_without_metadata_are_of_the_structure_that_fits() -> None:
    task = made()
    shapes = task.layout(SMALL).shapes
    known = ("mlp-mini@digits", "CNN-small@Digits")
    assert task.infer_structure(dict(reversed(shapes.items())), known) == SMALL
    assert made(subset=["linear2.*"]).infer_structure({"linear2.weight": (10, 20), "linear2.bias": (10,)}, known)
    for wrong, fits in (
        ((), ""),
        (("mlp-mini@digits",), "fit none of mlp"),
        ((SMALL, "cnn-small@mnist"), "fit cnn-sm"),
    ):
        with pytest.raises(ZoogenError, match=f"must name its structure in its metadata.*{fits}"):
            task.infer_structure(shapes, wrong)


def test_tasks_travel_without_modules_or_data() -> None:
    task = made().using(MemoryAssets())
    small_zoo()
    task.score(SMALL, small_zoo())
    copy = pickle.loads(pickle.dumps(made()))
    assert torch.equal(
        copy.score(SMALL, small_zoo()).metric("test.loss"), task.score(SMALL, small_zoo()).metric("test.loss")
    )
    assert len(pickle.dumps(made())) < 10_000


def test_weights_files_tell_the_trunk() -> None:
    task = made(subset=["linear2.*"])
    weights, metadata = cohort(task), task.file_metadata(SMALL)
    assert metadata["fixed"] == task.trunk(SMALL).digest and "fixed" not in made().file_metadata(SMALL)
    read = made().for_file(metadata, {})
    assert read.layout(SMALL) == task.layout(SMALL)
    assert torch.equal(read.score(SMALL, weights).metric("test.error"), task.score(SMALL, weights).metric("test.error"))
    with pytest.raises(ZoogenError, match=f"made for the trunk {metadata['fixed']} do not fit"):
        made(seed=1).for_file(metadata, {}).score(SMALL, weights)
    with pytest.raises(ZoogenError, match="metadata subset '\\[' is no JSON list"):
        made().for_file({"subset": "["}, {})


def test_ones_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "mine.py"
    file.write_text(OWN)
    task = made(own="mine.py", training={"iterations": 200})
    assert task.layout("own@digits").size == 170 and task.label("own@digits") == "mine@digits"
    assert task.resolved()["own_source"] == task.config.own_source != ""
    assert "own_source" not in task.resolved_for(SMALL) and "own_source" in task.resolved_for("own@digits")
    weights = cohort(task, "own@digits")
    assert float(task.score("own@digits", weights).metric("test.error").mean()) < 0.6
    file.write_text(OWN + "\n# other\n")
    with pytest.raises(ZoogenError, match="mine.py is not the file that was used"):
        made(**task.resolved())


def test_a_mapping_from_anywhere_runs_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("open('ran', 'w').close()\n" + OWN)
    with pytest.raises(ZoogenError, match="need the Python file mine.py; give the study's CONFIG"):
        task_from_mapping({"kind": "images", "own": "mine.py"})
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cnn-small", "structure 'cnn-small' is not of the form network@data"),
        ("cnn-smal@digits", "there is no network 'cnn-smal'; the nearest are cnn-small"),
        ("cnn-small@digit", "there is no data set 'digit'; did you mean digits"),
        ("own@digits", "the network own needs a file"),
    ],
)
def test_structures_that_do_not_exist(text: str, message: str) -> None:
    with pytest.raises(ZoogenError, match=message):
        made().canonical(text)


def test_what_cannot_be_generated() -> None:
    with pytest.raises(ZoogenError, match="pattern 'linear9' matches no parameter; the nearest are"):
        made(subset=["linear9"]).layout(SMALL)
    with pytest.raises(ZoogenError, match="cnn-small has no two normalisation layers"):
        made(subset=["normalisations"]).layout(SMALL)
    with pytest.raises(ZoogenError, match="set task.statistics to regenerated or recalibrated"):
        made(start="scratch").layout(NARROW)
    with pytest.raises(ZoogenError, match="1 of 2 networks hold NaN or infinity, first 1"):
        made().score(SMALL, torch.stack([torch.zeros(2464), torch.full((2464,), torch.nan)]))
