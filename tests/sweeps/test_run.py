"""Whole sweeps on a real local Ray: reuse, resumption, early stopping, failures, and what MLflow shows of them."""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console as RichConsole
from tests.studies import TINY

from zoogen.console import Console
from zoogen.errors import ZoogenError
from zoogen.evaluation.records import read_record
from zoogen.orchestration.cluster import connect
from zoogen.sweeps import run as driver
from zoogen.sweeps.ledger import Ledger
from zoogen.sweeps.plan import load_sweep
from zoogen.sweeps.result import SweepResult
from zoogen.sweeps.run import SweepOutcome, sweep

Run = Callable[..., SweepOutcome]
LIGHT = {"methods": ["generated", "held-out"], "portraits": [], "audit": {"matched": False, "behaviour": False}}
# Two trials share one generator, the third one has its own; all share one autoencoder.
POINTS = [
    {"name": "steps=2", "generator.sampler.steps": 2},
    {"name": "steps=3", "generator.sampler.steps": 3},
    {"name": "other rate", "generator.loop.optimiser.lr": 0.01},
]


@pytest.fixture(scope="module")
def cluster():
    with connect(num_cpus=2) as connected:
        yield connected


@pytest.fixture
def run(cluster, tmp_path: Path) -> Run:
    """Runs a sweep of a tiny study; `said` collects what it tells the user."""
    base = {**TINY, "ray": {}, "evaluation": {**TINY["evaluation"], **LIGHT}}  # type: ignore[dict-item]
    (tmp_path / "tiny.yaml").write_text(json.dumps(base))

    def call(root: str = "artifacts", *, resume: bool = False, said: io.StringIO | None = None, **keys: Any):
        path, overrides = tmp_path / "sweep.yaml", {"artifacts": str(tmp_path / root), **keys.pop("overrides", {})}
        path.write_text(json.dumps({"study": "tiny-sweep", "base": "tiny.yaml", "overrides": overrides, **keys}))
        console = Console(*(RichConsole(file=said or io.StringIO(), width=200) for _ in range(2)))
        return sweep(load_sweep(path), console, resume=resume)

    return call


def artifacts(folder: Path, kind: str) -> set[str]:
    return {path.name for path in (folder / kind).iterdir()}


def test_a_sweep_and_one_that_was_killed_half_way(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run(points=POINTS)
    trials = {trial.name: trial for trial in outcome.result.trials}
    assert list(trials) == [point["name"] for point in POINTS] and not outcome.result.failed
    assert {path.name for path in outcome.report} == {
        "report.html", "table.md", "table.csv", "seconds.csv", "figure.png",
    }  # fmt: skip

    # Every digest was trained once, by whichever trial came first: what was trained is what the artifacts took.
    assert trials["steps=2"].artifacts["generator"] == trials["steps=3"].artifacts["generator"]
    costs = {t.artifacts[k]: t.cost[k] for t in trials.values() for k in ("autoencoder", "generator")}
    assert len(costs) == 3 and (len(artifacts(tmp_path / "artifacts", "generators"))) == 2
    assert sum(t.time.training for t in trials.values()) == pytest.approx(sum(costs.values()))

    for trial in trials.values():
        assert {(s.label, s.known) for s in trial.scores} == {("F* 8^2", True), ("A* 3^3", True), ("E* 2^2", False)}
        for score in trial.scores:
            assert trial.metrics[f"{score.label}/generated/{score.metric}"] == score.median
            assert (score.ratio is None) == (not score.known)
    reported = {path.name: path for path in outcome.report}
    table = reported["table.md"].read_text()
    assert "| steps=2 |" in table and "°" in table

    # The same command again runs nothing.
    with monkeypatch.context() as patch:
        patch.setattr(driver, "run_trials", None)
        said = io.StringIO()
        again = run(points=POINTS, said=said, resume=True)
    assert again.result == outcome.result
    assert read_record(SweepResult, next((tmp_path / "artifacts").glob("sweeps/*/result.json")).read_bytes(), "") == (
        outcome.result
    )

    # Elsewhere the same sweep is interrupted when its first trial has ended, and goes on.
    shutil.copytree(tmp_path / "artifacts" / "zoo", tmp_path / "elsewhere" / "zoo")
    kept = Ledger._keep

    def interrupt(self: Ledger, *arguments: Any) -> None:
        kept(self, *arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "_keep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run("elsewhere", points=POINTS)
    there = [path.name for path in (tmp_path / "elsewhere").glob("sweeps/*/*.json")]
    assert len(there) == 2 and "sweep.json" in there, "the sweep's own and one trial"
    said = io.StringIO()
    resumed = run("elsewhere", points=POINTS, said=said, resume=True)
    assert "1 of 3 trials are there, going on" in said.getvalue()
    assert resumed.result.time is not None and resumed.result.time.trials == 2
    again = {path.name: path for path in resumed.report}
    assert again["table.csv"].read_bytes() == reported["table.csv"].read_bytes()


def test_early_stops_and_failures_in_mlflow(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overrides = {"tracking": {"kind": "mlflow", "system_metrics": False}, "zoo.structures": ["A*"]}
    points = [
        {"name": "good"},
        {"name": "slow", "autoencoder.loop.optimiser.lr": 1e-9},
        {"name": "wild", "autoencoder.loop.optimiser.lr": 1e30},
    ]
    keys = {
        "stage": "train_autoencoder",
        "overrides": {**overrides, "autoencoder.loop.iterations": 40},
        "scheduler": {"metric": "validation/error", "grace": 10, "reduction_factor": 2},
        "max_concurrent": 1,
    }
    said = io.StringIO()
    with pytest.raises(ZoogenError, match=r"1 of 3 trials failed: wild \(the loss is .*the same command tries"):
        run(points=points, said=said, **keys)
    assert "slow" in said.getvalue() and "stopped at 10" in said.getvalue()

    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path}/artifacts/mlflow.db")
    experiment = client.get_experiment_by_name("tiny-sweep")
    assert experiment is not None

    def tracked() -> dict[str, Any]:
        return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}

    runs = tracked()
    assert {name: run.info.status for name, run in runs.items()} == {
        "tiny-sweep": "FAILED",
        "zoo": "FINISHED",
        "good": "FINISHED",
        "slow": "FINISHED",
        "wild": "FAILED",
    }
    assert runs["slow"].data.tags["zoogen.stopped_early"] == "10"
    assert "zoogen.stopped_early" not in runs["good"].data.tags
    assert "the loss is" in runs["wild"].data.tags["zoogen.error"]
    assert runs["slow"].data.params["autoencoder.loop.optimiser.lr"] == "1e-09"
    for name in ("zoo", "good", "slow", "wild"):
        assert runs[name].data.tags["mlflow.parentRunId"] == runs["tiny-sweep"].info.run_id
    curve = client.get_metric_history(runs["good"].info.run_id, "train/autoencoder/validation/error")
    assert [point.step for point in curve] == [*range(2, 41, 2)]
    final = runs["good"].data.metrics["validation/error"]
    assert final == pytest.approx(curve[-1].value), "the curve ends where the finished autoencoder is judged"
    files = {file.path for file in client.list_artifacts(runs["tiny-sweep"].info.run_id, "report")}
    assert {"report/report.html", "report/table.md", "report/table.csv"} <= files

    # The same command tries the failed one alone, and compares it with the curves of the others.
    tried: dict[str, Any] = {}

    def remember(
        work: Any, payloads: Any, resources: Any, at_once: int, listener: Any, rule: Any, history: Any
    ) -> None:
        tried.update(names=list(payloads), at_once=at_once, steps=[[point["step"] for point in c] for c in history])

    monkeypatch.setattr(driver, "run_trials", remember)
    with pytest.raises(ZoogenError, match=r"wild \(it did not run\)"):
        run(points=points, **keys)
    assert tried == {"names": ["wild"], "at_once": 1, "steps": [[*range(2, 40, 2)], [*range(2, 11, 2)]]}
    assert {name: run.info.status for name, run in tracked().items() if name != "wild"} == {
        "tiny-sweep": "FAILED",
        "zoo": "FINISHED",
        "good": "FINISHED",
        "slow": "FINISHED",
    }
