"""The driver's book of a sweep: results as they come in, stored, shown and tracked."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from zoogen.errors import ZoogenError
from zoogen.evaluation.records import read_record
from zoogen.evaluation.result import Evaluation
from zoogen.orchestration.trial import STEP
from zoogen.pipelines.context import Study
from zoogen.pipelines.digests import evaluation_key
from zoogen.pipelines.sweep_plan import SweepPlan, TrialPlan
from zoogen.pipelines.sweep_result import TrialRecord, TrialTime, record_bytes, trial_key
from zoogen.pipelines.sweep_trial import AT, STAGE
from zoogen.pipelines.sweep_view import SweepView
from zoogen.tracking.base import Run

TRIAL_STAGE = "trial"  # in the tracker
_ABOUT_TUNE = ("time_", "node_ip", "pid", "hostname", "date", "timestamp", "trial_id", "done", "config", "iterations_")


class Ledger:
    """Told by Tune what becomes of the trials (`TrialListener`).

    Attributes:
        records: results by trial name, those of earlier goes included.
        fresh: names of trials that ended in this go.
        failures: trial name to why it has no result.
    """

    def __init__(self, plan: SweepPlan, study: Study, view: SweepView) -> None:
        self._plan, self._study, self._view = plan, study, view
        self._trials = {trial.name: trial for trial in plan.trials}
        self.records: dict[str, TrialRecord] = {}
        self.fresh: list[str] = []
        self.failures: dict[str, str] = {}
        self._begun: dict[str, float] = {}
        self._curves: dict[str, list[dict[str, float]]] = {}
        self._open: dict[str, tuple[AbstractContextManager[Run], Run]] = {}
        self._later: list[Callable[[], object]] = []

    def recall(self) -> None:
        """Take results of earlier goes from the store."""
        keys = set(self._study.store.list(f"sweeps/{self._plan.digest}"))
        for trial in self._plan.trials:
            key = trial_key(self._plan.digest, trial.digest)
            if key in keys:
                record = read_record(TrialRecord, self._study.store.get(key), self._study.store.uri_of(key))
                self.records[trial.name] = record
                self._view.end(trial.name, record.state)
                self._later.append(lambda trial=trial, record=record: self._retell(trial, record))  # type: ignore[misc]

    @property
    def missing(self) -> list[TrialPlan]:
        return [trial for trial in self._plan.trials if trial.name not in self.records]

    # What Tune tells.

    def started(self, name: str) -> None:
        self._begun[name], self._curves[name] = time.time(), []
        self._view.begin(name)
        self._later.append(lambda: self._track(name))

    def reported(self, name: str, report: Mapping[str, Any]) -> None:
        row, figures = self._view.rows[name], _figures(report)
        row.stage, row.step = str(report.get(STAGE, "")), int(report.get(AT, 0))
        row.figures = {key: value for key, value in figures.items() if key in ("loss", self._metric)}
        if STEP in report:
            self._require_metric(figures)
            self._curves[name].append({STEP: float(report[STEP]), **figures})
        if figures:
            tracked = {f"{row.stage}/{key}": value for key, value in figures.items()}
            self._later.append(lambda step=row.step: self._track(name).metrics(tracked, step, "train"))  # type: ignore[misc]
        self._view.refresh()

    def finished(self, name: str, result: str) -> None:
        record = read_record(TrialRecord, result.encode(), f"the result of trial {name}")
        self._keep(name, record.model_copy(update={"curve": tuple(self._curves[name])}))

    def stopped(self, name: str, step: int) -> None:
        trial, curve = self._trials[name], tuple(self._curves[name])
        begin, end = self._begun[name], time.time()
        record = TrialRecord(
            name=name,
            digest=trial.digest,
            values=dict(trial.values),
            state="stopped",
            step=step,
            artifacts={"zoo": trial.study(self._study.console).plan.digest},
            metrics={key: value for key, value in curve[-1].items() if key != STEP} if curve else {},
            time=TrialTime(begin=begin, end=end, training=end - begin),
            curve=curve,
        )
        self._keep(name, record)

    def failed(self, name: str, reason: str) -> None:
        self.failures[name] = " ".join(reason.split())
        self._view.end(name, "failed")
        self._later.append(lambda: self._close(name, ZoogenError(self.failures[name])))
        self._view.refresh()

    def tick(self) -> None:
        """Tracking waits for moments in which no trial does."""
        if self._later and (self._view.count("running") or not self.missing):
            self._later.pop(0)()
        self._view.refresh()

    # What is kept.

    @property
    def _metric(self) -> str:
        return self._plan.config.scheduler.metric if self._plan.config.scheduler is not None else ""

    def _require_metric(self, figures: Mapping[str, float]) -> None:
        if self._metric not in figures:
            known = ", ".join(figures)
            raise ZoogenError(
                f"{self._plan.source}: scheduler.metric {self._metric} is no figure of this training; it has {known} "
                "(and an autoencoder has validation/error, where the zoo has validation runs)"
            )

    def _keep(self, name: str, record: TrialRecord) -> None:
        self.records[name] = record
        self.fresh.append(name)
        self._study.store.put_if_absent(trial_key(self._plan.digest, record.digest), record_bytes(record))
        self._view.end(name, record.state)
        self._later.append(lambda: self._retell(self._trials[name], record))
        self._view.refresh()

    def settle(self) -> None:
        """Catch up with the tracking."""
        while self._later:
            self._later.pop(0)()

    def abandon(self, error: BaseException) -> None:
        """End what is still open in the tracker by the error that ended the sweep."""
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

    def _close(self, name: str, error: BaseException | None = None) -> None:
        self._track(name)
        context, _ = self._open.pop(name)
        context.__exit__(type(error) if error is not None else None, error, None)

    def _retell(self, trial: TrialPlan, record: TrialRecord) -> None:
        """A result with everything that belongs to it; told twice it is as good as once."""
        run = self._track(trial.name)
        run.reused = trial.name not in self.fresh
        run.tags({f"zoogen.{stage}": digest for stage, digest in record.artifacts.items()})
        run.metrics({f"seconds/{part}": getattr(record.time, part) for part in ("training", "judging", "wall")})
        if record.state == "stopped":
            run.tags({"zoogen.stopped_early": str(record.step)})
        if (digest := record.artifacts.get("evaluation")) is not None:
            store, key = self._study.store, evaluation_key(digest)
            evaluation = Evaluation.from_json(store.get(key), store.uri_of(key))
            run.evaluation(evaluation)
            run.results(evaluation, {"trial": trial.name})
            run.text("report/evaluation.json", evaluation.to_json())
        else:
            run.metrics(record.metrics)
        self._close(trial.name)


def _figures(report: Mapping[str, Any]) -> dict[str, float]:
    """The trial's own numbers, without what Tune adds."""
    own = {STAGE, AT, STEP}
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
