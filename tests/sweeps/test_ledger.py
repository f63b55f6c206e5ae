"""The driver's book of a sweep without Ray: ends in the tracker, times, names of studies, and what is told early."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import FakeTask, MemoryZoo, NoisyOptimum
from tests.studies import TINY, MakeStudy

from zoogen.console import Console
from zoogen.errors import ZoogenError
from zoogen.evaluation.config import EvaluationConfig
from zoogen.evaluation.evaluate import evaluate
from zoogen.evaluation.machine import describe_environment
from zoogen.evaluation.records import read_record, record_bytes
from zoogen.evaluation.result import Evaluation, Inputs
from zoogen.orchestration.cluster import Cluster
from zoogen.orchestration.trial import STEP
from zoogen.pipelines import stages
from zoogen.pipelines.context import Study
from zoogen.pipelines.digests import evaluation_key
from zoogen.sweeps import run as sweep
from zoogen.sweeps.clock import AUTOENCODER, EVALUATION, GENERATOR, TrialClock
from zoogen.sweeps.ledger import Ledger
from zoogen.sweeps.plan import load_sweep
from zoogen.sweeps.result import SweepResult, TrialRecord, TrialTime, trial_key
from zoogen.sweeps.trial import AT, STAGE, WAITED, judging_seconds
from zoogen.sweeps.trial_table import SweepView
from zoogen.tracking.base import NullRun, NullTracker, Run
from zoogen.zoo.plan import ZooConfig


class Remembering(NullTracker):
    """Keeps the runs by name, each with its end and the evaluations that it was told."""

    def __init__(self) -> None:
        self.runs: dict[str, RememberedRun] = {}

    def _open(self, stage: str, digest: str, name: str, params: Mapping[str, Any], tags: Mapping[str, str]) -> Run:
        return self.runs.setdefault(name, RememberedRun())


class RememberedRun(NullRun):
    recorded = False

    def __init__(self) -> None:
        self.end: tuple[str, str] = ("RUNNING", "")
        self.studies: list[str] = []

    def results(self, evaluation: Evaluation, params: Mapping[str, str] | None = None) -> None:
        self.studies.append(evaluation.inputs.study)

    def evaluation(self, evaluation: Evaluation, report: Any = ()) -> None:
        self.studies.append(evaluation.inputs.study)

    def text(self, name: str, content: str) -> None:
        self.studies.append(Evaluation.from_json(content).inputs.study)

    def finish(self, state: str, error: str = "") -> None:
        self.end = state, error


Book = tuple[Ledger, Study, Remembering]


@pytest.fixture
def open_book(tmp_path: Path) -> Callable[..., Book]:
    """The ledger of a sweep with trials a, b, c, d, its study and its tracker."""
    (tmp_path / "tiny.yaml").write_text(json.dumps({**TINY, "ray": {}, "artifacts": str(tmp_path / "artifacts")}))

    def make(**keys: Any) -> Book:
        points = [{"name": name, "seed": seed} for seed, name in enumerate("abcd")]
        path = tmp_path / "sweep.yaml"
        path.write_text(json.dumps({"study": "this-sweep", "base": "tiny.yaml", "points": points, **keys}))
        plan = load_sweep(path)
        study, tracker = plan.trials[0].study(Console()), Remembering()
        study.__dict__["tracker"] = tracker  # what a stage would open
        names = [trial.name for trial in plan.trials]
        return Ledger(plan, study, SweepView(names, lambda _: None, time.monotonic)), study, tracker

    return make


def record(ledger: Ledger, name: str, **artifacts: str) -> str:
    """What the process of a trial returns."""
    (trial,) = [trial for trial in ledger.missing if trial.name == name]
    spent = TrialTime(begin=0.0, end=5.0, training=3.0, judging=1.0)
    values = dict(trial.values)
    finished = TrialRecord(
        name=name, digest=trial.digest, values=values, state="finished", artifacts=artifacts, time=spent
    )
    return record_bytes(finished).decode()


@pytest.fixture
def others_evaluation() -> Evaluation:
    """An evaluation that another study has made."""
    task = FakeTask(checkpoints=2)
    zoo = MemoryZoo(task, ZooConfig(structures=("2",), runs=3, test_runs=1))
    inputs = Inputs(study="another-study")
    return evaluate(task, zoo, NoisyOptimum(task), EvaluationConfig(count=2, portraits=()), inputs=inputs)


def test_an_interrupt_ends_each_trial_by_its_own_end(open_book: Callable[..., Book]) -> None:
    ledger, _, tracker = open_book()
    for name in "abc":
        ledger.started(name)
    ledger.reported("b", {STAGE: AUTOENCODER, AT: 2, "loss": 0.5})
    ledger.tick()  # opens the run of a alone
    ledger.finished("a", record(ledger, "a"))
    ledger.failed("c", "the loss is nan")
    ledger._track("b")
    ledger.abandon(KeyboardInterrupt())
    ends = {name: run.end for name, run in tracker.runs.items()}
    assert ends == {
        "a": ("FINISHED", ""),
        "b": ("KILLED", "KeyboardInterrupt: "),
        "c": ("FAILED", "ZoogenError: the loss is nan"),
    }


def test_a_damaged_result_is_a_missing_one(open_book: Callable[..., Book], capsys: pytest.CaptureFixture[str]) -> None:
    ledger, study, _ = open_book()
    for name in "ab":
        ledger.started(name)
        ledger.finished(name, record(ledger, name))
    assert study.store.root is not None
    path = study.store.root / trial_key(ledger._plan.digest, ledger.records["a"].digest)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"3.0", b"2.0", 1))
    later, _, _ = open_book()
    later.recall()
    assert list(later.records) == ["b"] and [trial.name for trial in later.missing] == ["a", "c", "d"]
    assert f"{path.name} is damaged (" in capsys.readouterr().err.replace("\n", "")
    later.started("a")
    later.finished("a", record(later, "a"))
    last, _, _ = open_book()
    last.recall()
    assert sorted(last.records) == ["a", "b"]


def test_an_interrupt_within_the_telling_of_an_end(open_book: Callable[..., Book]) -> None:
    ledger, _, tracker = open_book()
    ledger.started("a")
    ledger.finished("a", record(ledger, "a"))
    tell, told = ledger._retell, []

    def interrupted(*arguments: Any) -> None:
        told.append(arguments)
        if len(told) == 1:
            raise KeyboardInterrupt
        tell(*arguments)

    ledger._later = [(name, interrupted_of(call, interrupted)) for name, call in ledger._later]
    with pytest.raises(KeyboardInterrupt) as error:
        ledger.settle()
    ledger.abandon(error.value)
    assert len(told) == 2 and tracker.runs["a"].end == ("FINISHED", "")


def interrupted_of(call: Any, instead: Callable[..., None]) -> Callable[[], object]:
    """The call with `instead` in the place of `_retell`."""
    return (lambda: instead(*call.args)) if call.func.__name__ == "_retell" else call


def test_a_shared_evaluation_is_told_as_of_this_sweep(
    open_book: Callable[..., Book], others_evaluation: Evaluation
) -> None:
    ledger, study, tracker = open_book()
    study.store.put_if_absent(evaluation_key("abcd"), record_bytes(others_evaluation, evaluation_key("abcd")))
    ledger.started("a")
    ledger.finished("a", record(ledger, "a", evaluation="abcd"))
    ledger.settle()
    assert tracker.runs["a"].studies == ["this-sweep"] * 3, "the evaluation, the result runs, the artifact"


def test_a_reused_evaluation_is_of_the_study_that_asks(make_study: MakeStudy, others_evaluation: Evaluation) -> None:
    study, tracker = make_study(), Remembering()
    study.__dict__["tracker"] = tracker
    key = evaluation_key(study.evaluation_digest)
    study.store.put_if_absent(key, record_bytes(others_evaluation, key))
    result = stages.evaluate(study)
    assert result.reused and result.evaluation.inputs.study == "tiny"
    assert result.evaluation == others_evaluation.model_copy(update={"inputs": result.evaluation.inputs})
    assert tracker.runs["evaluation"].studies == ["tiny"] * 2
    (table,) = [path for path in result.report if path.name == "table.md"]
    assert "another-study" not in table.read_text() and "tiny" in table.read_text()


def test_seconds_of_a_trial_without_result() -> None:
    """Begun at 100: waits 5 s, trains 10 s, waits 2 s more, reuses or trains, and ends at 200."""
    clock = TrialClock(100.0)
    clock.told(AUTOENCODER, 5.0, 106.0)
    clock.told(AUTOENCODER, 0.0, 116.0)
    clock.told(GENERATOR, 7.0, 120.0)
    clock.told(GENERATOR, 0.0, 150.0)
    spent = clock.time(200.0)
    assert (spent.wall, spent.training, spent.judging, spent.waiting) == (100.0, 10.0 + 80.0, 0.0, 7.0)
    clock = TrialClock(100.0)
    for stage, now in ((AUTOENCODER, 101.0), (GENERATOR, 102.0), (EVALUATION, 103.0)):
        clock.told(stage, 0.0, now)  # both trainings are reused
    spent = clock.time(110.0)
    assert (spent.training, spent.judging) == (0.0, 7.0)


def test_judging_is_what_the_evaluation_itself_took(others_evaluation: Evaluation) -> None:
    own = judging_seconds(others_evaluation.cost)
    assert own == pytest.approx(sum(others_evaluation.cost.values())) and own > 0, "nothing earlier is in it"
    earlier = {"zoo": 100.0, "zoo_training": 80.0, "autoencoder": 10.0, "generator": 10.0}
    assert judging_seconds({**others_evaluation.cost, **earlier}) == own


def test_stopped_and_failed_trials_count_by_their_stages(
    open_book: Callable[..., Book], monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, _, _ = open_book(stage="train_autoencoder", scheduler={"grace": 2})
    now = 0.0
    monkeypatch.setattr("zoogen.sweeps.ledger.time.time", lambda: now)
    for name in "abcd":
        ledger.started(name)
    now = 10.0
    for name in "abc":
        ledger.reported(name, {STAGE: AUTOENCODER, AT: 0, WAITED: 4.0})
    now = 13.0
    ledger.reported("a", {STAGE: AUTOENCODER, AT: 2, STEP: 2, "loss": 0.5})
    ledger.stopped("a", 2)
    ledger.failed("b", "the loss is nan")
    ledger.finished("c", record(ledger, "c"))
    ledger.failed("d", "its process died")
    spent = {name: (t.wall, t.training, t.waiting) for name, t in ledger.times.items()}
    assert spent == {"a": (13.0, 3.0, 4.0), "b": (13.0, 3.0, 4.0), "c": (5.0, 3.0, 0.0), "d": (13.0, 0.0, 0.0)}
    assert ledger.records["a"].time.training == 3.0 and ledger.records["a"].curve == ({STEP: 2.0, "loss": 0.5},)


def test_a_cluster_too_small_is_told_before_the_zoos(open_book: Callable[..., Book], tmp_path: Path) -> None:
    ledger, study, _ = open_book(gpus_per_trial=1)
    study.__dict__["cluster"] = Cluster("", True, cpus=2.0, gpus=0.0)
    with pytest.raises(ZoogenError, match="a trial needs 1 CPUs and 1 GPUs, the cluster has 2 CPUs and 0 GPUs"):
        sweep._run_missing(ledger._plan, study, ledger)
    assert not (tmp_path / "artifacts" / "zoo").exists()


def test_other_columns_are_another_report_under_a_remote_root(open_book: Callable[..., Book]) -> None:
    tables = []
    for columns in ([], ["loss"], ["generator/loss"], ["loss"]):
        ledger, study, _ = open_book(columns=columns, overrides={"artifacts": "memory://columns"})
        plan = ledger._plan
        trial = read_record(TrialRecord, record(ledger, "a"), "")
        trials = (trial.model_copy(update={"metrics": {"loss": 1.0, "generator/loss": 2.0}}),)
        result = SweepResult(
            study=plan.config.study, digest=plan.digest, source="sweep.yaml", stage="train_generator", keys=plan.keys,
            trials=trials, failed={}, time=None, environment=describe_environment(),
        )  # fmt: skip
        sweep._write_report(plan, study, result)
        found = [key for key in study.store.list("reports") if key.endswith("table.csv")]
        tables.append({study.store.get(key).decode().splitlines()[0] for key in found})
    assert [len(headers) for headers in tables] == [1, 2, 3, 3]
    assert any(header.endswith("step,generator/loss") for header in tables[-1])
