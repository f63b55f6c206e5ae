"""Corrected data in the same root: every stage makes its artifact anew, and both zoos can be read."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from sklearn.datasets import load_digits

from zoogen import cli
from zoogen.errors import ZoogenError
from zoogen.pipelines import stages
from zoogen.pipelines.context import Study
from zoogen.pipelines.open import open_study
from zoogen.zoo.export import find_zoo, list_zoos, plan_of
from zoogen.zoo.read import Zoo

OWN = """
import numpy as np

def data():
    held = np.load("data.npz")
    return held["images"], held["labels"]
"""
CONFIG = {
    "study": "corrected",
    "ray": None,
    "tracking": {"kind": "none"},
    "artifacts": "root",
    "task": {
        "kind": "images",
        "own": "own.py",
        "training": {"iterations": 60, "batch_size": 32, "optimiser": {"learning_rate": 1e-2}},
        "collection": {"iterations": 4, "batch_size": 32},
        "subset": ["linear2.*"],
    },
    "zoo": {"structures": ["mlp-mini@own"], "runs": 1, "validation_runs": 0, "test_runs": 1},
    "autoencoder": {"kind": "linear", "latent": 2},
    "generator": {
        "denoiser": {"kind": "mlp", "width": 16},
        "loop": {"iterations": 5, "batch_size": 4, "schedule": {"kind": "constant"}},
        "sampler": {"steps": 2},
    },
    "evaluation": {"count": 2, "methods": ["generated", "held-out"]},
}


def write_data(shift: int) -> None:
    digits = load_digits()
    rows = digits.target < 2
    np.savez("data.npz", images=digits.images[rows], labels=(digits.target[rows] + shift) % 2)


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(OWN)
    Path("study.yaml").write_text(yaml.safe_dump(CONFIG))
    write_data(0)
    return tmp_path


def digests(study: Study) -> tuple[str, ...]:
    return (study.plan.digest, study.autoencoder_digest, study.generator_digest, study.evaluation_digest)


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 0
    return capsys.readouterr().out


def test_no_stage_hands_out_what_was_made_of_other_data(capsys: pytest.CaptureFixture[str]) -> None:
    before = open_study("study.yaml", [])
    assert not stages.pipeline(before).reused
    assert stages.pipeline(open_study("study.yaml", [])).reused, "the same data are the same artifacts"
    write_data(1)
    after = open_study("study.yaml", [])
    assert all(one != other for one, other in zip(digests(before), digests(after), strict=True))
    for stage in (stages.train_autoencoder, stages.train_generator, stages.evaluate):
        with pytest.raises(ZoogenError):
            stage(after)
    result = stages.pipeline(after)
    assert not result.reused and result.digest == after.evaluation_digest
    trunks = [set(study.zoo.table("mlp-mini@own")["fixed"].to_pylist()) for study in (before, after)]
    assert trunks[0].isdisjoint(trunks[1])
    listed = [line.split() for line in printed(capsys, "zoo", "ls", "study.yaml").splitlines()]
    zoos = {line[0]: line for line in listed if line and line[0] in (before.plan.digest, after.plan.digest)}
    assert len(zoos) == 2 and len({line[-1] for line in zoos.values()}) == 2, "they differ in the column of data"
    assert all("zoo" in line for line in zoos.values())


def test_a_zoo_is_read_where_its_data_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    built = open_study("study.yaml", [])
    stages.build_zoo(built)
    expected = built.zoo.select("mlp-mini@own", "train")
    Path("data.npz").unlink()
    assert built.plan.digest in printed(capsys, "zoo", "ls", "study.yaml")
    out = printed(capsys, "zoo", "export", "study.yaml", "--out", "rows.parquet")
    assert "8 checkpoints" in out and Path("rows.parquet").exists()
    assert "weights" in printed(capsys, "zoo", "export", "study.yaml", "--out", "weights") and Path("weights").is_dir()
    study = open_study("study.yaml", [])
    listing = find_zoo(study.store, built.plan.digest)
    plan = plan_of(listing, study.task)
    assert plan.digest == built.plan.digest
    rows = Zoo(study.store, plan, study.task.with_contents(listing.contents)).select("mlp-mini@own", "train")
    assert rows.weights.equal(expected.weights)
    with pytest.raises(ZoogenError, match=r"data\(\) failed in own.py"):
        _ = study.plan


def test_unseen_structures_name_the_evaluation_by_their_data() -> None:
    overrides = ["zoo.structures=[mlp-mini@digits]", "evaluation.structures=[mlp-mini@own]", "task.data.limit=60"]
    overrides += ["fine_tuning.structures=[mlp-mini@own]"]
    before = digests(open_study("study.yaml", overrides))
    write_data(1)
    after = digests(open_study("study.yaml", overrides))
    assert before[:3] == after[:3] and before[3] != after[3]


def test_looking_needs_no_data(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    stages.build_zoo(open_study("study.yaml", []))
    Path("data.npz").unlink()
    assert json.loads(printed(capsys, "pipeline", "study.yaml", "--dry-run"))["study"] == "corrected"
    assert len(list_zoos(open_study("study.yaml", []).store)) == 1


def test_a_zoo_of_a_set_that_is_not_there_is_not_taken_for_an_unbuilt_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", lambda *_, **__: 1 / 0)  # no connection
    study = open_study("study.yaml", ["zoo.structures=[cnn-small@mnist]"])
    with pytest.raises(ZoogenError, match="cannot be told without what it was made of: data set mnist is neither"):
        stages.train_autoencoder(study)
