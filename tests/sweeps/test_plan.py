"""Sweeps before they start: trials, names, draws, and mistakes told in one line."""

import json
import math
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.studies import TINY

from zoogen.cli import main
from zoogen.errors import ZoogenError
from zoogen.sweeps.figure import swept_axis
from zoogen.sweeps.plan import load_sweep
from zoogen.sweeps.result import TrialTime, sweep_time

Write = Callable[..., Path]
VALIDATED = {"metric": "validation/error", "grace": 2}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A sweep's file with the given keys, beside a tiny study."""
    (tmp_path / "tiny.yaml").write_text(json.dumps({**TINY, "ray": {}, "artifacts": str(tmp_path / "artifacts")}))

    def make(**keys: object) -> Path:
        path = tmp_path / "sweep.yaml"
        path.write_text(json.dumps({"study": "tiny-sweep", "base": "tiny.yaml", **keys}))
        return path

    return make


def test_points_times_grid_times_draws(write: Write) -> None:
    space = {
        "generator.sampler.steps": {"grid": [2, 3]},
        "autoencoder.loop.optimiser.lr": {"loguniform": [1e-4, 1e-2]},
        "generator.loop.optimiser.lr": {"uniform": [0.1, 0.2]},
        "autoencoder.latent": {"choice": [8, 16]},
        "seed": {"randint": [5, 6]},
    }
    points = [{"name": "one", "zoo.structures": ["A*"]}, {"name": "two"}]
    plan = load_sweep(write(points=points, space=space, samples=20))
    assert len(plan.trials) == len({trial.name for trial in plan.trials}) == 2 * 2 * 20
    assert [trial.config.generator.sampler.steps for trial in plan.trials[::20]] == [2, 3, 2, 3]
    assert plan.trials[0].name.startswith("one steps=2 autoencoder.loop.optimiser.lr=")
    assert {trial.config.zoo.structures for trial in plan.trials[:40]} == {("A*",)}
    assert {trial.config.zoo.structures for trial in plan.trials[40:]} == {("F*", "A*")}
    rates = [trial.config.autoencoder.loop.optimiser.lr for trial in plan.trials]
    assert all(1e-4 <= rate <= 1e-2 for rate in rates) and len(set(rates)) == 20
    assert rates[:20] == rates[20:40] == rates[60:], "draws are the same for every point and grid value"
    assert -9 < sum(map(math.log, rates)) / len(rates) < -5, "around log 1e-3 = -6.9"
    assert {trial.config.autoencoder.latent for trial in plan.trials} == {8, 16}
    assert {trial.config.seed for trial in plan.trials} == {5, 6}
    again = load_sweep(write(points=points, space=space, samples=20))
    assert (again.digest, again.trials) == (plan.digest, plan.trials)
    other = load_sweep(write(points=points, space=space, samples=20, seed=1))
    assert other.trials[0].config.autoencoder.loop.optimiser.lr != rates[0]
    fewer = load_sweep(write(points=points, space=space, samples=5))
    assert fewer.trials[:5] == plan.trials[:5], "more samples keep the earlier trials"


def test_overrides_reach_all_trials_and_sections_merge(write: Write) -> None:
    path = write(
        overrides={"evaluation.count": 5, "generator": {"loop": {"iterations": 9}}},
        points=[{"name": "a", "generator": {"sampler": {"kind": "ddpm", "steps": 7}}}, {"name": "b", "seed": 3}],
    )
    plan = load_sweep(path, ["overrides.zoo.runs=4"])
    assert shlex.split(plan.command) == ["zoogen", "sweep", str(path), "overrides.zoo.runs=4"]
    first, second = plan.trials
    assert (first.config.generator.sampler.kind, first.config.generator.sampler.steps) == ("ddpm", 7)
    assert (second.config.generator.sampler.steps, second.config.seed) == (3, 3)
    for trial in (first, second):
        assert trial.config.study == "tiny-sweep"
        assert trial.config.generator.loop.iterations == 9 and trial.config.generator.loop.batch_size == 4
        assert (trial.config.evaluation.count, trial.config.zoo.runs) == (5, 4)


def test_digests_follow_what_a_trial_makes(write: Write) -> None:
    steps = {"generator.sampler.steps": {"grid": [2, 3]}}
    a, b = load_sweep(write(space=steps)).trials
    assert a.digest != b.digest
    assert load_sweep(write(space=steps, max_concurrent=1, cpus_per_trial=2)).trials[0].digest == a.digest
    assert load_sweep(write(space=steps, overrides={"device": "cpu"})).trials[0].digest == a.digest
    rule = {"metric": "loss", "grace": 2}
    assert load_sweep(write(space=steps, scheduler=rule)).trials[0].digest != a.digest


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"points": []}, "nothing to sweep over; give points or space"),
        ({"space": {"zoo.rns": {"grid": [1]}}}, "sweep.yaml: trial 'rns=1': unknown key zoo.rns (did you mean runs?)"),
        ({"space": {"zoo.runs": {"grid": [2, 0]}}}, "trial 'runs=0': zoo.runs: Input should be greater than or equal"),
        ({"space": {"zoo.runs": {"grd": [2]}}}, "unknown key space.zoo.runs.grd (did you mean grid?)"),
        ({"space": {"seed": {"grid": [1], "choice": [2]}}}, "give one of grid, choice"),
        ({"space": {"seed": {"randint": [3, 2]}}}, "randint goes from low to high"),
        ({"space": {"seed": {"loguniform": [0, 2]}}}, "loguniform needs positive bounds"),
        ({"space": {"artifacts": {"grid": ["a"]}}}, "artifacts is shared by all trials"),
        ({"points": [{"name": "a", "ray.num_cpus": 2}]}, "ray is shared by all trials"),
        ({"points": [{"seed": 2}]}, "point 1 needs a name"),
        ({"points": [{"name": "a"}, {"name": "a"}]}, "two points are named 'a'"),
        ({"points": [{"name": "a", "seed": 1}], "space": {"seed": {"grid": [2]}}}, "set by the point 'a' and by space"),
        ({"space": {"seed": {"grid": [1]}}, "samples": 3}, "samples draws from distributions, and space has none"),
        ({"space": {"zoo.runs.x": {"grid": [1]}}}, "zoo.runs.x: runs is a value, not a section"),
        ({"space": {"zoo.structures": {"grid": [["Z9"]]}}}, "trial 'structures=[Z9]': "),
        ({"space": {"seed": {"grid": [1]}}, "overrides": {"ray": None}}, "a sweep runs on Ray, and ray is null"),
        ({"space": {"seed": {"grid": [1]}}, "base": "other.yaml"}, "cannot read configuration"),
        ({"space": {"seed": {"grid": [1]}}, "scheduler": {"grace": 6}}, "grace 6 is no less than its 6 iterations"),
        (
            {"space": {"seed": {"grid": [1]}}, "scheduler": {"metric": "los"}},
            "metric: Input should be 'loss' ",
        ),
        (
            {"space": {"seed": {"grid": [1]}}, "scheduler": VALIDATED, "stage": "train_generator"},
            "stage train_generator is judged by the generator's training, which has no validation/error",
        ),
        (
            {"space": {"zoo.validation_runs": {"grid": [0]}}, "scheduler": VALIDATED, "stage": "train_autoencoder"},
            "trial 'validation_runs=0': validation/error is of validation runs, and zoo.validation_runs is 0",
        ),
        ({"space": {"seed": {"grid": [1]}}, "scheduler": {}, "train_in": "ray"}, "a scheduler needs train_in: process"),
    ],
)
def test_mistakes_are_one_line(write: Write, keys: dict, message: str) -> None:
    with pytest.raises(ZoogenError) as error:
        load_sweep(write(**keys))
    assert message in str(error.value) and "\n" not in str(error.value)


def test_dry_run_prints_the_trials_and_leaves_nothing(write: Write, tmp_path: Path, capsys) -> None:
    path = write(points=[{"name": "a", "seed": 1}, {"name": "b", "zoo.runs": 2}])
    with pytest.raises(SystemExit) as stop:
        main(["sweep", str(path), "--dry-run"])
    assert stop.value.code == 0
    trials = json.loads(capsys.readouterr().out)["trials"]
    assert [{k: v for k, v in trial.items() if k != "digest"} for trial in trials] == [
        {"name": "a", "seed": 1},
        {"name": "b", "zoo.runs": 2},
    ]
    assert not (tmp_path / "artifacts").exists()


def test_resume_needs_an_earlier_go(write: Write, tmp_path: Path, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["sweep", str(write(space={"seed": {"grid": [1, 2]}})), "--resume"])
    assert stop.value.code == 2
    assert "there is no earlier go of this sweep" in capsys.readouterr().err
    assert not (tmp_path / "artifacts").exists()


@pytest.mark.parametrize(
    "overrides",
    [{"tracking.uri": "postgresql://u:hush@host/db"}, {"artifacts": "s3://AKEY:hush@bucket"}],
    ids=["tracking", "artifacts"],
)
def test_a_sweep_with_a_password_is_refused_and_nothing_is_kept(write: Write, tmp_path: Path, overrides: dict) -> None:
    with pytest.raises(ZoogenError, match="environment|MLFLOW_TRACKING_PASSWORD|AWS_SECRET_ACCESS_KEY") as error:
        load_sweep(write(space={"seed": {"grid": [1, 2]}}, overrides=overrides))
    assert "hush" not in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "artifacts").exists()


def test_the_accounts_of_a_sweep() -> None:
    """Two slots for ten seconds. One trial works all of it; the other 4 of its 6, waits 1, and leaves 4 unused."""
    times = [
        TrialTime(begin=0, end=10, training=8, judging=2),
        TrialTime(begin=0, end=6, training=4, waiting=1),
    ]
    spent = sweep_time(0.0, 10.0, 2, times)
    assert spent is not None
    assert (spent.wall, spent.work, spent.waiting, spent.tail, spent.trials) == (10, 14, 1, 4, 2)
    assert spent.overhead == pytest.approx(1 - 14 / 15)
    assert sweep_time(0.0, 1.0, 2, []) is None


def test_swept_axis_needs_one_key_and_numbers() -> None:
    assert swept_axis(["lr=1e-3", "lr=0.01"]) == ("lr", [0.001, 0.01])
    for names in (["N=2", "M=3"], ["N=2 M=3"], ["both"], ["x=A"]):
        assert swept_axis(names) is None
