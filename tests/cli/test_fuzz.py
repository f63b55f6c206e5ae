"""Seeded inputs that nobody would write: no traceback, no hang, no message that repeats them at length."""

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.fuzzed import STUDY, Fuzzed, called, cases


@pytest.mark.parametrize("seed", range(2))
def test_nothing_from_outside_is_a_traceback(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    faults = {}
    for index, case in enumerate(cases(seed, 28, tmp_path / "cases")):
        outcome = called(case)
        if wrong := outcome.faults(case.payload):
            faults[index] = (case.name, wrong, case.arguments[:3], outcome.text[:500])
    assert not faults


@pytest.mark.slow
def test_many_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wrong = [case.name for case in cases(100, 1_050, tmp_path / "cases") if called(case).faults(case.payload)]
    assert not wrong


@pytest.fixture
def study(tmp_path: Path) -> str:
    path = tmp_path / "study.yaml"
    path.write_text(json.dumps({**STUDY, "artifacts": str(tmp_path / "artifacts")}))
    return str(path)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("task.reward.r0=0", "task.reward.r0: "),
        ("task.reward.r0=-0.1", "task.reward.r0: "),
        ("task.reward.r1=-0.1", "r0 + r1 is 0, and rewards have to be positive"),
        ("task.reward.r2=-5", "r0 + r1 + r2 is -4.4"),
        ("task.training.optimiser.learning_rate=0", "learning_rate needs positive values"),
        ("task.training.optimiser.betas=[0.9, 1.0]", "task.training.optimiser.betas.1: "),
        ("zoo.structures=['" + "9" * 400 + "']", "is not of a known form"),
        ("zoo.structures=['1000000,999999999']", "is too large"),
        ("zoo.structures=['999999999^999999999']", "is too large"),
        ("zoo.structures=['9^999']", "is too large"),
        ("seed=" + "9" * 5_000, "a whole number has 5000 digits"),
        ("evaluation.seed=" + str(2**63), "whole numbers go up to 2^63 - 1"),
        ("zoo=" + "[" * 3_000, "nested more than 64 deep"),
        (".".join("a" * 500) + "=1", "more than 64 deep"),
        ("zoo.runs=" + "x" * 5_000, "zoo.runs: "),
        ("x" * 5_000 + "=1", "unknown key xxx"),
    ],
)
def test_values_out_of_range_are_refused_by_configuration(
    failing: Run, study: str, override: str, expected: str
) -> None:
    line = failing("pipeline", study, override)
    assert expected in line and len(line) < 600


def test_a_long_list_of_mistakes_is_cut(failing: Run, study: str) -> None:
    line = failing("pipeline", study, "zoo={" + ", ".join(f"key_{index}: 1" for index in range(200)) + "}")
    assert "unknown key zoo.key_0" in line and " more" in line and "(of 20" in line and len(line) < 800


def test_a_key_that_stands_twice_is_refused(failing: Run, tmp_path: Path) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text("study: a\nzoo: {structures: [E*], runs: 2, runs: 3}\n")
    assert "line 2: the key 'runs' stands there twice" in failing("pipeline", str(path))


def test_more_trials_than_anybody_wants(failing: Run, study: str, tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(
        json.dumps({"study": "s", "base": study, "samples": 10**12, "space": {"seed": {"randint": [0, 9]}}})
    )
    assert "1000000000000 trials are more than 10,000" in failing("sweep", str(path), "--dry-run")


def test_a_zoo_without_checkpoints_fails(study: str) -> None:
    diverging = "task.training.optimiser={kind: sgd, learning_rate: 1.0e+38, log_z_learning_rate: 1.0e+38}"
    for _ in range(2):  # also where the parts are there
        outcome = called(Fuzzed("zoo", ("build-zoo", study, diverging, "task.training.iterations=30"), ""))
        assert outcome.status == 2
        assert "no checkpoint of E* 2^2 is left, all of its training runs diverged" in outcome.text.splitlines()[-1]
