"""The images task: training, judging and describing networks."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.tasks.images.small import NARROW, SMALL, by_hand, cohort, made, small_zoo
from torch.nn.functional import cross_entropy

from zoogen.errors import ZoogenError
from zoogen.tasks.records import CohortSpec, FineTuneSpec, RunSpec
from zoogen.weights.alignment import permute
from zoogen.zoo.build import build_part
from zoogen.zoo.plan import ZooConfig, plan_zoo
from zoogen.zoo.store import ArtifactStore


@pytest.mark.parametrize(
    ("structure", "config"),
    [
        (SMALL, {}),
        (SMALL, {"start": "scratch"}),
        (SMALL, {"subset": ["linear2.*", "conv2.bias"]}),
        (NARROW, {"subset": ["normalisations"]}),
        (NARROW, {"subset": ["normalisations"], "statistics": "regenerated"}),
        (NARROW, {"subset": ["normalisations"], "statistics": "recalibrated"}),
        (NARROW, {"start": "scratch", "statistics": "recalibrated", "training": {"iterations": 3}}),
        ("mlp-mini@glyphs-1", {"data": {"limit": 40, "glyphs": {"classes": 3, "images": 20}}}),
    ],
)
def test_scores_are_those_of_whole_networks_one_by_one(structure: str, config: dict[str, Any]) -> None:
    task = made(**config)
    weights = cohort(task, structure)
    assert weights.shape == (6, task.layout(structure).size) and bool(weights.isfinite().all())
    scores, wrong = task.score(structure, weights), task.behaviour(structure, weights)
    assert wrong is not None
    for group in ("test", "validation"):
        for k, (logits, labels) in enumerate(by_hand(task, structure, weights, group)):
            error = (logits.argmax(1) != labels).double().mean()
            assert scores.metric(f"{group}.error")[k] == error
            loss = cross_entropy(logits, labels).double()
            torch.testing.assert_close(scores.metric(f"{group}.loss")[k], loss, rtol=1e-3, atol=1e-4)
            if group == "test":
                assert torch.equal(wrong[k], (logits.argmax(1) != labels).float())
    assert scores.groups["test"].settings["images"] == wrong.shape[1]


def test_networks_of_a_trunk_share_the_rest_of_it() -> None:
    task = made(subset=["linear2.*"])
    weights, trunk = cohort(task), task.trunk(SMALL)
    assert trunk is not None
    whole = task.complete(SMALL, weights)
    assert set(whole) == set(trunk.state)
    for name, value in whole.items():
        if name.startswith("linear2."):
            assert not torch.equal(value[0], trunk.state[name]) and not torch.equal(value[0], value[5])
        else:
            assert torch.equal(value, trunk.state[name].expand_as(value))
    floors = task.score(SMALL, weights).groups["test"].floors
    assert floors["trunk"]["error"] == pytest.approx(1 - trunk.accuracy["test"])
    assert floors["guessing"]["error"] == pytest.approx(0.9)


def test_trunks_are_made_once_and_named_in_every_row(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    task = made().using(store)
    assert not task.prepared(SMALL)
    config = ZooConfig(structures=("CNN-small@Digits",), runs=2, validation_runs=0, test_runs=0, cohort=2)
    plan = plan_zoo(config, task)
    report = build_part(task, plan.cohorts[0], store)
    assert report.committed and report.rows == 6 and task.prepared(SMALL)
    (trunk,) = (tmp_path / "trunks").iterdir()
    before = trunk.stat().st_mtime_ns
    task.prepare(SMALL)
    cohort(task)
    assert trunk.stat().st_mtime_ns == before
    import pyarrow.parquet as parquet

    table = parquet.read_table(next(tmp_path.glob("zoo/parts/**/*.parquet")))
    assert set(table["fixed"].to_pylist()) == {task.trunk(SMALL).digest}
    assert set(table["optimiser"].to_pylist()) == {"adamw"} and set(table["start"].to_pylist()) == {"trunk"}


def test_runs_from_scratch_begin_by_their_initialisation() -> None:
    task = made(start="scratch", training={"iterations": 0})
    runs = (RunSpec(0, 1, 7), RunSpec(1, 2, 7), RunSpec(2, 3, 8))
    found = task.train_cohort(CohortSpec(task.resolved_for(SMALL), SMALL, runs)).weights[:, 0]
    assert task.prepared(SMALL) and task.trunk(SMALL) is None
    assert (found[0] - found[1]).norm() < (found[0] - found[2]).norm() / 2


def test_untrained_vectors_are_fresh_networks() -> None:
    task = made(subset=["normalisations"], statistics="regenerated")
    tensors = task.layout(NARROW).unflatten(task.untrained(NARROW, 2, 5))
    for name, value in tensors.items():
        assert bool((value == (1 if name.endswith("weight") else 0)).all()), name
    whole = made()
    first, again, other = (whole.untrained(SMALL, 2, seed) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other) and not torch.equal(first[0], first[1])


@pytest.mark.parametrize(
    ("structure", "config", "count"),
    [
        (SMALL, {"start": "scratch"}, 4),
        (SMALL, {"subset": ["conv2.*", "conv3.*"]}, 1),
        (NARROW, {"start": "scratch", "statistics": "recalibrated"}, 12),
        (NARROW, {"start": "scratch", "statistics": "regenerated"}, 12),
        (NARROW, {"statistics": "kept"}, 0),
    ],
)
def test_renumbered_units_leave_outputs_as_they_are(structure: str, config: dict[str, Any], count: int) -> None:
    task = made(**config, training={"iterations": 2})
    groups, layout = task.symmetries(structure), task.layout(structure)
    assert len(groups) == count
    weights = task.untrained(structure, 1, 3)
    moved = weights
    for group in groups:
        moved = permute(moved, layout, group, torch.randperm(group.size).unsqueeze(0))
    assert torch.equal(moved, weights) is (not groups)
    judge, seen = task.bench(structure).judge, task.bench(structure).seen["test"]
    torch.testing.assert_close(judge.logits(moved, seen), judge.logits(weights, seen), rtol=1e-3, atol=1e-3)


def test_similarity_is_that_of_wrong_predictions() -> None:
    task = made()
    wrong = task.behaviour(SMALL, small_zoo())
    assert wrong is not None and wrong.dtype == torch.float32 and set(wrong.unique().tolist()) <= {0.0, 1.0}
    distances = task.behaviour_distances(wrong, wrong[:2])
    assert distances.shape == (6, 2) and distances[0, 0] == 0 and float(distances.max()) <= 1


def test_portraits_are_confusion_matrices() -> None:
    task, row = made(), small_zoo()[-1]
    truth, learnt = task.portraits(SMALL, row)
    assert truth.values.shape == learnt.values.shape == (10, 10)
    assert truth.values.sum() == pytest.approx(1) and (truth.values.sum(1) == pytest.approx(learnt.values.sum(1)))
    error = float(task.score(SMALL, row.unsqueeze(0)).metric("test.error")[0])
    assert learnt.values.trace() == pytest.approx(1 - error)


def test_activations_are_outputs_of_the_layers() -> None:
    task, weights = made(), small_zoo()[:2]
    found = task.activations(SMALL, weights, 7, 3)
    assert list(found) == ["conv1", "conv2", "conv3", "linear1", "linear2"]
    module, states, images = (
        task.classifier(SMALL).fresh(0),
        task.complete(SMALL, weights),
        task.bench(SMALL).inputs(7, 3),
    )
    module.load_state_dict({name: value[1] for name, value in states.items()})
    torch.testing.assert_close(found["linear2"][1], module(images), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found["conv1"][1], module.conv1(images).mean((2, 3)), rtol=1e-4, atol=1e-5)
    assert (
        task.activations("mlp-mini@digits", made().untrained("mlp-mini@digits", 1, 0), 500, 3)["linear1"].shape[1]
        == 500
    )


def test_fine_tuning_learns_on() -> None:
    task, weights = made(), small_zoo()[:2]
    found = task.fine_tune(FineTuneSpec(SMALL, (1, 2), (1, 30)), weights)
    assert found.weights.shape == (2, 2, weights.shape[1])
    before, after = (
        task.score(SMALL, weights).metric("test.loss"),
        task.score(SMALL, found.weights[:, -1]).metric("test.loss"),
    )
    assert bool((after < before).all())


def test_untrained_networks_begin_by_the_initialisation_of_the_configuration() -> None:
    plain, handicapped = made(), made(initialisation="uniform01")
    assert "initialisation" not in plain.resolved()
    assert handicapped.resolved()["initialisation"] == "uniform01"
    assert plain.untrained(SMALL, 1, 0).min() < 0 <= handicapped.untrained(SMALL, 1, 0).min()
    with pytest.raises(ZoogenError, match="leave initialisation at torch"):
        made(initialisation="uniform01", pretrained=True)
