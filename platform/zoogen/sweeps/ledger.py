"""The driver's book of a sweep: results as they come in, stored, shown and tracked."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import Any

from zoogen.artifact import Artifact
from zoogen.errors import ZoogenError
from zoogen.evaluation.records import read_record, record_bytes
from zoogen.orchestration.trial import STEP
from zoogen.pipelines.context import Study
from zoogen.pipelines.records import due
from zoogen.pipelines.results import read_evaluation
from zoogen.pipelines.stored import say_damage, stored_record
from zoogen.sweeps.clock import AUTOENCODER, GENERATOR, TrialClock
from zoogen.sweeps.curves import curves
from zoogen.sweeps.plan import SweepPlan, TrialPlan
from zoogen.sweeps.result import TrialRecord, TrialTime, trial_key
from zoogen.sweeps.trial import AT, STAGE, WAITED
from zoogen.sweeps.trial_table import SweepView
from zoogen.tracking.base import Run

TRIAL_STAGE = "trial"  # in the tracker
_ABOUT_TUNE = ("time_", "node_ip", "pid", "hostname", "date", "timestamp", "trial_id", "done", "config", "iterations_")


class Ledger:
    """Told by Tune what becomes of the trials (`TrialListener`).

    Attributes:
        records: results by trial name, those of earlier goes included.
        fresh: names of trials with a result of this go.
        failures: trial name to why it has no result.
        times: trial name to where its time went, of all that ended in this go, failed ones included.
    """

    def __init__(self, plan: SweepPlan, study: Study, view: SweepView) -> None:
        self._plan, self._study, self._view = plan, study, view
        self._trials = {trial.name: trial for trial in plan.trials}
        self.records: dict[str, TrialRecord] = {}
        self.fresh: list[str] = []
        self.failures: dict[str, str] = {}
        self.times: dict[str, TrialTime] = {}
        self._stored: dict[str, Artifact[TrialRecord]] = {}  # what earlier goes left, damaged or not
        self._clocks: dict[str, TrialClock] = {}
        self._curves: dict[str, list[dict[str, float]]] = {}
        self._open: dict[str, tuple[AbstractContextManager[Run], Run]] = {}
        self._later: list[tuple[str, Callable[[], object]]] = []  # trial, and what the tracker is still to be told

    def recall(self) -> None:
        """Take results of earlier goes from the store."""
        keys = set(self._study.store.list(f"sweeps/{self._plan.digest}"))
        for trial in self._plan.trials:
            key = trial_key(self._plan.digest, trial.digest)
            if key not in keys:
                continue
            there = self._stored[trial.name] = stored_record(self._study, key, TrialRecord)
            say_damage(self._study, there)
            if (record := there.value) is not None:
                self.records[trial.name] = record
                self._view.end(trial.name, record.state)
                self._later.append((trial.name, partial(self._retell, trial, record)))

    @property
    def missing(self) -> list[TrialPlan]:
        return [trial for trial in self._plan.trials if trial.name not in self.records]

    # What Tune tells.

    def started(self, name: str) -> None:
        self._clocks[name], self._curves[name] = TrialClock(time.time()), []
        self._view.begin(name)
        self._later.append((name, partial(self._track, name)))

    def reported(self, name: str, report: Mapping[str, Any]) -> None:
        row, figures = self._view.rows[name], _figures(report)
        row.stage, row.step = str(report.get(STAGE, "")), int(report.get(AT, 0))
        self._clocks[name].told(row.stage, float(report.get(WAITED, 0.0)), time.time())
        row.figures = {key: value for key, value in figures.items() if key in ("loss", self._metric)}
        if STEP in report:
            self._curves[name].append({STEP: float(report[STEP]), **figures})
        if figures:
            self._later.append((name, partial(self._track_figures, name, row.stage, row.step, figures)))
        self._view.refresh()

    def finished(self, name: str, result: str) -> None:
        record = read_record(TrialRecord, result.encode(), f"the result of trial {name}")
        self._keep(name, record.model_copy(update={"curve": tuple(self._curves[name])}))

    def stopped(self, name: str, step: int) -> None:
        trial, curve = self._trials[name], tuple(self._curves[name])
        record = TrialRecord(
            name=name,
            digest=trial.digest,
            values=dict(trial.values),
            state="stopped",
            step=step,
            artifacts={"zoo": trial.study(self._study.console).plan.digest},
            metrics={key: value for key, value in curve[-1].items() if key != STEP} if curve else {},
            time=self._clocks[name].time(time.time()),
            curve=curve,
        )
        self._keep(name, record)

    def failed(self, name: str, reason: str) -> None:
        self.failures[name] = " ".join(reason.split())
        self._view.end(name, "failed")
        if name in self._clocks:
            self.times[name] = self._clocks[name].time(time.time())
        self._later.append((name, partial(self._close, name, ZoogenError(self.failures[name]))))
        self._view.refresh()

    def tick(self) -> None:
        """Tracking waits for moments in which no trial does."""
        if self._later and (self._view.count("running") or not self.missing):
            self._tell_next()
        self._view.refresh()

    # What is kept.

    @property
    def _metric(self) -> str:
        return self._plan.config.scheduler.metric if self._plan.config.scheduler is not None else ""

    def _keep(self, name: str, record: TrialRecord) -> None:
        self.records[name] = record
        self.fresh.append(name)
        self.times[name] = record.time
        key = trial_key(self._plan.digest, record.digest)
        there = self._stored.get(name) or Artifact[TrialRecord](self._study.store, key)
        there.commit(record_bytes(record, key))
        self._view.end(name, record.state)
        self._later.append((name, partial(self._retell, self._trials[name], record)))
        self._view.refresh()

    def settle(self) -> None:
        """Catch up with the tracking."""
        while self._later:
            self._tell_next()

    def _tell_next(self) -> None:
        self._later[0][1]()
        del self._later[0]  # not before it was told: an interrupt leaves it to `abandon`

    def abandon(self, error: BaseException) -> None:
        """End what is still open in the tracker: ended trials by their own end, others by what ended the sweep."""
        ended = {*self.fresh, *self.failures}
        self._later = [(name, tell) for name, tell in self._later if name in ended]
        while self._later:
            name, tell = self._later.pop(0)
            with suppress(Exception):  # `error` is the one to show; perhaps it is this one, of a store that went away
                tell()
        for name in list(self._open):
            self._close(name, error)

    def _track(self, name: str) -> Run:
        """The trial's run in the tracker."""
        if name not in self._open:
            trial = self._trials[name]
            settings = {"trial": name, **trial.values}
            context = self._study.tracker.stage(
                TRIAL_STAGE, trial.digest, name=name, params=settings, tags=_tags(self._plan, trial)
            )
            self._open[name] = context, context.__enter__()
        return self._open[name][1]

    def _track_figures(self, name: str, stage: str, step: int, figures: Mapping[str, float]) -> None:
        self._track(name).metrics({f"{stage}/{key}": value for key, value in figures.items()}, step, "train")

    def _close(self, name: str, error: BaseException | None = None) -> None:
        self._track(name)
        context, _ = self._open.pop(name)
        context.__exit__(type(error) if error is not None else None, error, None)

    def _retell(self, trial: TrialPlan, record: TrialRecord) -> None:
        """A result with everything that belongs to it; told twice it is as good as once."""
        run = self._track(trial.name)
        run.reused = trial.name not in self.fresh
        if due(run):
            self._record(trial, record, run)
        self._close(trial.name)

    def _record(self, trial: TrialPlan, record: TrialRecord, run: Run) -> None:
        if run.reused:  # its figures came while it ran, and were lost
            judged = AUTOENCODER if self._plan.config.stage == "train_autoencoder" else GENERATOR
            for stage, points in curves(trial.study(self._study.console), record, judged).items():
                run.history(points, "train", f"{stage}/")
        run.tags({f"zoogen.{stage}": digest for stage, digest in record.artifacts.items()})
        run.metrics({f"seconds/{part}": getattr(record.time, part) for part in ("training", "judging", "wall")})
        if record.state == "stopped":
            run.tags({"zoogen.stopped_early": str(record.step)})
        if (digest := record.artifacts.get("evaluation")) is not None:
            evaluation = read_evaluation(self._study.store, digest, self._plan.config.study)
            run.evaluation(evaluation)
            run.results(evaluation, {"trial": trial.name})
            run.text("report/evaluation.json", evaluation.to_json())
        else:
            run.metrics(record.metrics)


def _figures(report: Mapping[str, Any]) -> dict[str, float]:
    """The trial's own numbers, without what Tune adds."""
    own = {STAGE, AT, STEP, WAITED}
    return {
        key: float(value)
        for key, value in report.items()
        if isinstance(value, float) and key not in own and not key.startswith(_ABOUT_TUNE)
    }


def _tags(plan: SweepPlan, trial: TrialPlan) -> dict[str, str]:
    config = trial.config
    last = config.last_checkpoints
    return {
        "zoogen.trial": trial.name,
        "zoogen.sweep": plan.digest,
        "zoogen.structures": ",".join(config.zoo.structures),
        "zoogen.last_checkpoints": "all" if last is None else str(last),
    }
