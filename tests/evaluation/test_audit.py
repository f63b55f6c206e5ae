"""The audit of a structure against numpy: every distance, floor and figure worked out pair by pair."""

import itertools

import numpy as np
import pytest
import torch
from tests.fakes import AuditedTask, FakeTask, MemoryZoo

from zoogen.evaluation.audit import Audit
from zoogen.evaluation.config import AuditConfig, EvaluationConfig
from zoogen.evaluation.structure import Sources, StructureData
from zoogen.zoo.plan import ZooConfig

STRUCTURE = "3"
ZOO = ZooConfig(structures=(STRUCTURE,), runs=7, validation_runs=0, test_runs=2, cohort=4)


def _audit(task, runs=7, structure=STRUCTURE, **settings):
    zoo = MemoryZoo(task, ZOO.model_copy(update={"runs": runs}))
    config = EvaluationConfig(count=8, structures=("5",), audit=AuditConfig(**settings))
    return Audit(StructureData(Sources(task, config, zoo), structure))


@pytest.fixture(scope="module")
def task():
    return AuditedTask(checkpoints=3)


@pytest.fixture(scope="module")
def audit(task):
    return _audit(task)


@pytest.fixture(scope="module")
def train(audit):
    return audit.data.train


@pytest.fixture(scope="module")
def made(task):
    return task.untrained(STRUCTURE, 8, seed=5)


def _numbers(weights):
    return weights.numpy().astype(np.float64)


def _plain(a, b):
    return np.sqrt(((a - b) ** 2).mean())


def _renumberings(weights):
    """All orders of the three units of a network [9]."""
    weight, bias = weights[:6].reshape(3, 2), weights[6:]
    for order in map(list, itertools.permutations(range(3))):
        yield np.concatenate([weight[order].ravel(), bias[order]])


def _matched(a, b):
    return min(_plain(renumbered, b) for renumbered in _renumberings(a))


def _variation(a, b):
    p, q = (np.exp(np.sort(w)) / np.exp(w).sum() for w in (a, b))
    return np.abs(p - q).sum() / 2


@pytest.mark.parametrize(
    ("name", "distance"), [("nearest_train", _plain), ("matched_train", _matched), ("behaviour_train", _variation)]
)
def test_distances_and_their_floors_by_brute_force(audit, train, made, name, distance):
    rows, runs = _numbers(train.weights), train.runs.tolist()
    expected = [min(distance(network, row) for row in rows) for network in _numbers(made)]
    np.testing.assert_allclose(audit.of("generated", made).distances[name].numpy(), expected, atol=1e-6)
    between = [
        min(distance(a, b) for b, other in zip(rows, runs, strict=True) if other != run)
        for a, run in zip(rows, runs, strict=True)
    ]
    assert audit.between_runs[name] == pytest.approx(np.median(between), abs=1e-6)


def test_a_renumbered_copy_is_found_out(audit, train, made):
    copies = torch.stack([torch.from_numpy(list(_renumberings(w.numpy()))[3]) for w in train.weights[:4]])
    found = audit.of("generated", copies).distances
    assert found["nearest_train"].min() > 0.1
    assert found["matched_train"].max() < 1e-6
    assert found["behaviour_train"].max() < 1e-6
    assert audit.of("generated", made).distances["behaviour_train"].min() > 1e-3


def test_training_checkpoints_cover_themselves_and_one_network_repeated_does_not(audit, train):
    own = audit.of("training", train.weights)
    assert own.distances == {}
    assert own.figures["coverage.weights"] == own.figures["coverage.behaviour"] == 1.0
    repeated = audit.of("generated", train.weights[:1].repeat(8, 1))
    assert repeated.figures["coverage.weights"] < 1.0
    assert repeated.figures["diversity.weights"] == pytest.approx(0.0, abs=1e-6)
    assert repeated.figures["diversity.behaviour"] == 0.0
    far = audit.of("generated", train.weights + 100)
    assert far.figures["coverage.weights"] == 0.0


def test_figures_by_brute_force(audit, train, made):
    figures = audit.of("generated", made).figures
    own = _numbers(made)
    pairs = list(itertools.combinations(own, 2))
    assert figures["diversity.weights"] == pytest.approx(np.median([_plain(a, b) for a, b in pairs]), rel=1e-6)
    assert figures["diversity.behaviour"] == pytest.approx(np.median([_variation(a, b) for a, b in pairs]), rel=1e-5)
    # Seven runs are more than k = 5, so the real points are their last checkpoints.
    real = _numbers(train.weights[train.steps == 3])
    for distance, kind in ((_plain, "weights"), (_variation, "behaviour")):
        radius = [sorted(distance(a, b) for b in real)[5] for a in real]  # itself comes first
        inside = np.array([[distance(a, b) <= r for b, r in zip(real, radius, strict=True)] for a in own])
        assert figures[f"coverage.{kind}"] == pytest.approx(inside.any(0).mean())
        if kind == "behaviour":
            assert figures["density.behaviour"] == pytest.approx(inside.sum() / (5 * len(own)))


def test_few_runs_take_all_checkpoints_for_the_real_points(task):
    audit = _audit(task, runs=2, neighbours=2)
    rows = audit.data.train.weights
    # Copies of the last checkpoints lie in the balls of their runs' others only if those are real points, too.
    assert audit.of("generated", rows).figures["coverage.weights"] == 1.0
    last = rows[audit.data.train.steps == 3]
    distances = torch.cdist(rows.double(), rows.double())
    radius = distances.sort(1).values[:, 2]
    expected = (torch.cdist(last.double(), rows.double()) <= radius).any(0).double().mean()
    assert audit.of("generated", last).figures["coverage.weights"] == pytest.approx(float(expected))


def test_only_the_sample_is_compared_where_it_costs(task, made):
    audit = _audit(task, sample=3)
    found = audit.of("generated", made).distances
    whole = _audit(task).of("generated", made).distances
    assert torch.equal(found["nearest_train"], whole["nearest_train"])
    assert torch.equal(found["matched_train"][:3], whole["matched_train"][:3])
    for name in ("matched_train", "behaviour_train"):
        assert torch.isnan(found[name]).tolist() == [False] * 3 + [True] * 5
    # The sample of the training checkpoints has the last ones of different runs.
    assert (found["behaviour_train"][:3] >= whole["behaviour_train"][:3] - 1e-12).all()
    rows = audit._rows
    assert set(audit.data.train.steps[rows].tolist()) == {3}
    assert len(set(audit.data.train.runs[rows].tolist())) == 3


@pytest.mark.parametrize(
    ("settings", "absent"),
    [({"matched": False}, {"matched_train"}), ({"behaviour": False}, {"behaviour_train"})],
)
def test_what_is_switched_off_is_left_out(task, made, settings, absent):
    audit = _audit(task, **settings)
    every = {"nearest_train", "matched_train", "behaviour_train"}
    assert set(audit.of("generated", made).distances) == set(audit.between_runs) == every - absent
    assert ("diversity.behaviour" in audit.of("generated", made).figures) is ("behaviour_train" not in absent)


def test_a_task_without_symmetries_and_behaviour_has_plain_distances(made):
    audit = _audit(FakeTask())
    found = audit.of("generated", made)
    assert set(found.distances) == set(audit.between_runs) == {"nearest_train"}
    assert set(found.figures) == {"diversity.weights", "diversity.relative", "coverage.weights"}


def test_one_run_and_unseen_structures(task, made):
    alone = _audit(task, runs=1)
    assert alone.between_runs == {}
    assert set(alone.of("generated", made).distances) == {"nearest_train", "matched_train", "behaviour_train"}
    unseen = _audit(task, structure="5")
    found = unseen.of("generated", task.untrained("5", 4, seed=1))
    assert found.distances == {}
    assert set(found.figures) == {"diversity.weights", "diversity.relative", "diversity.behaviour"}
    assert _audit(task).of("generated", made[:1]).figures.keys() == {
        "coverage.weights", "coverage.behaviour", "density.behaviour",
    }  # fmt: skip
