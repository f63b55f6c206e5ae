"""Sweeps: trials of one study through Ray Tune, resumed from what lies in the store, ended by a table and a figure."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from zoogen.artifact import examine
from zoogen.console import Console
from zoogen.errors import DamagedError, ZoogenError
from zoogen.evaluation.machine import describe_environment
from zoogen.evaluation.records import record_bytes
from zoogen.identity import digest
from zoogen.orchestration.cluster import Cluster
from zoogen.orchestration.sweep import HalvingRule, TrialResources, run_trials
from zoogen.pipelines import stages
from zoogen.pipelines.context import Study
from zoogen.pipelines.report import made_of, store_files
from zoogen.pipelines.stored import say_damage, stored_record
from zoogen.pipelines.validation import VALIDATION_ERROR
from zoogen.reports.named_evaluations import Origin
from zoogen.reports.screen import report_lines
from zoogen.seal import sealed_json, unsealed_json
from zoogen.secrets import masked, masked_settings
from zoogen.sweeps.ledger import Ledger
from zoogen.sweeps.plan import SweepPlan, TrialPlan, judged_iterations, load_sweep
from zoogen.sweeps.report import print_sweep, render_sweep
from zoogen.sweeps.result import SweepResult, SweepTime, sweep_folder, sweep_time
from zoogen.sweeps.trial import AUTOENCODER, GENERATOR, TrialOrder, run_trial
from zoogen.sweeps.trial_table import sweep_view
from zoogen.tracking.tracker import Tracker
from zoogen.zoo.build import missing_cohorts

SWEEP_STAGE = "sweep"  # in the tracker


@dataclass(frozen=True)
class SweepOutcome:
    """A sweep's result and the files of its report."""

    result: SweepResult
    report: tuple[Path, ...]


def run_sweep(config: str, overrides: Sequence[str], *, resume: bool = False, dry_run: bool = False) -> None:
    """The `sweep` command.

    Raises:
        ZoogenError: a mistake in the sweep or in any trial (before anything starts), or failed trials (at the end).
    """
    import torch

    torch.set_num_threads(1)
    plan = load_sweep(config, list(overrides))
    if dry_run:
        trials = [{"name": trial.name, "digest": trial.digest, **trial.values} for trial in plan.trials]
        print(json.dumps({"study": plan.config.study, "sweep": plan.digest, "trials": trials}, indent=2))
        return
    console = Console()
    sweep(plan, console, resume=resume)


def _show(plan: SweepPlan, console: Console, outcome: SweepOutcome) -> None:
    print_sweep(outcome.result, console.out, plan.config.columns)
    if (spent := outcome.result.time) is not None:
        console.say(f"sweep: {spent.wall:.0f} s, {spent.overhead:.1%} of it outside training and judging")
    for line in report_lines(outcome.report):
        console.show(line)


def _require_complete(result: SweepResult) -> None:
    """Raises:
    ZoogenError: trials failed.
    """
    if result.failed:
        reasons = "; ".join(f"{name} ({reason})" for name, reason in result.failed.items())
        total = len(result.failed) + len(result.trials)
        raise ZoogenError(
            f"{len(result.failed)} of {total} trials failed: {reasons}; the others are in the table, "
            "the same command tries the failed ones again"
        )


def sweep(plan: SweepPlan, console: Console, *, resume: bool = False) -> SweepOutcome:
    """Run what is missing of a sweep, and report on all of it.

    Args:
        resume: require an earlier go of the same sweep.

    Raises:
        ZoogenError: nothing to resume, or the store, the cluster or the tracker cannot be used; or trials failed,
            which does not stop the others, and is told after the report.
    """
    with plan.trials[0].study(console) as study:
        _begin(plan, study, resume)
        content = plan.config.model_dump(mode="json")
        with study.tracker.pipeline(plan.digest, name=plan.config.study, config=content, stage=SWEEP_STAGE) as run:
            with sweep_view(console, [trial.name for trial in plan.trials]) as view:
                ledger = Ledger(plan, study, view)
                ledger.recall()
                run.reused = not ledger.missing
                if len(ledger.records) not in (0, len(plan.trials)):
                    console.say(f"sweep: {len(ledger.records)} of {len(plan.trials)} trials are there, going on")
                spent = _run_missing(plan, study, ledger)
            result = _result(plan, study, ledger, spent)
            report = _write_report(plan, study, result)
            run.files(report, "report")
            run.metrics({"trials": len(result.trials), "failed": len(result.failed)})
            if result.time is not None:
                figures = result.time.model_dump(include={"wall", "work", "waiting"})
                run.metrics({"overhead": result.time.overhead, **{f"seconds/{k}": v for k, v in figures.items()}})
            outcome = SweepOutcome(result, report)
            _show(plan, console, outcome)
            _require_complete(result)
            if command := study.tracker.ui_command():
                console.show(f"to look at the MLflow runs: {command}")
            return outcome


def _begin(plan: SweepPlan, study: Study, resume: bool) -> None:
    """Leave the sweep's configuration in the store, by which a later go knows that there was one."""
    key = f"{sweep_folder(plan.digest)}/sweep.json"
    if resume and not study.store.exists(key):
        raise ZoogenError(
            f"there is no earlier go of this sweep at {study.store.uri_of(key)}; leave --resume out, or give the same "
            "file and overrides as then"
        )
    study.store.check()
    names = [
        {"name": trial.name, "digest": trial.digest, "values": masked_settings(trial.values)} for trial in plan.trials
    ]
    config = masked_settings(plan.config.model_dump(mode="json"))
    content = {"source": plan.source, "sweep": config, "trials": names}
    examine(study.store, key, _require_sealed).commit(sealed_json(content))


def _require_sealed(data: bytes) -> bool:
    try:
        return bool(unsealed_json(data))
    except ValueError as error:
        raise DamagedError(str(error)) from None


def _run_missing(plan: SweepPlan, study: Study, ledger: Ledger) -> SweepTime | None:
    """Zoos, then trials; None if nothing was missing."""
    try:
        missing = ledger.missing
        if not missing:
            _build_zoos(plan.trials, study, whole_only=True)
            ledger.settle()
            return None
        resources = _resources(plan, missing[0])
        slots = resources.concurrency(study.cluster, len(missing))  # too small a cluster is told before hours of zoos
        _build_zoos(missing, study)
        begin = time.time()
        run_trials(
            run_trial,
            {trial.name: _order(plan, trial, study) for trial in missing},
            resources,
            slots,
            ledger,
            _rule(plan),
            [record.curve for record in ledger.records.values()],
        )
        end = time.time()
        ledger.settle()
        for trial in ledger.missing:
            ledger.failures.setdefault(trial.name, "it did not run")
        return sweep_time(begin, end, slots, list(ledger.times.values()))
    except BaseException as error:
        ledger.abandon(error)
        raise


@dataclass(frozen=True, eq=False)
class _Within(Study):
    """A trial's study that shares cluster and tracker with the sweep."""

    whole: Study = field(kw_only=True)

    @cached_property
    def cluster(self) -> Cluster:
        return self.whole.cluster

    @cached_property
    def tracker(self) -> Tracker:
        return self.whole.tracker


def _build_zoos(trials: Sequence[TrialPlan], study: Study, *, whole_only: bool = False) -> None:
    """Every zoo of the trials, the one that lacks most first: most of the others' cohorts are then there.

    Args:
        whole_only: see to the records of those that are there, and train nothing.
    """
    zoos: dict[str, Study] = {}
    for trial in trials:
        own = _Within(trial.config, study.console, f"trial {trial.name}", whole=study)
        zoos.setdefault(" ".join(zoo.digest for zoo in own.plans), own)
    lacking = {
        name: sum(len(missing_cohorts(zoo, study.store, sound=own.task)) for zoo in own.plans)
        for name, own in zoos.items()
    }
    for name in sorted(zoos, key=lambda name: -lacking[name]):
        if not (whole_only and lacking[name]):
            stages.build_zoo(zoos[name])


def _resources(plan: SweepPlan, trial: TrialPlan) -> TrialResources:
    config, train = plan.config, trial.config.train
    at_once = None if config.max_concurrent == "auto" else config.max_concurrent
    elsewhere = train.workers * train.cpus_per_worker if config.train_in == "ray" else 0.0
    return TrialResources(config.cpus_per_trial, config.gpus_per_trial, elsewhere, at_once)


def _order(plan: SweepPlan, trial: TrialPlan, study: Study) -> TrialOrder:
    """What the trial's process gets: nothing there may depend on the working folder."""
    scheduler = plan.config.scheduler
    update = {"artifacts": str(study.store.root or study.store.uri)}
    config = trial.config.model_copy(update=update if plan.config.train_in == "ray" else {**update, "ray": None})
    judged = AUTOENCODER if plan.config.stage == "train_autoencoder" else GENERATOR
    return TrialOrder(
        name=trial.name,
        digest=trial.digest,
        values=trial.values,
        config=config.model_dump_json(),
        stage=plan.config.stage,
        judged=judged if scheduler is not None else "",
        iterations=judged_iterations(plan.config, trial.config),
        validate=scheduler is not None and scheduler.metric == VALIDATION_ERROR,
    )


def _rule(plan: SweepPlan) -> HalvingRule | None:
    scheduler = plan.config.scheduler
    if scheduler is None:
        return None
    longest = max(judged_iterations(plan.config, trial.config) for trial in plan.trials)
    return HalvingRule(scheduler.metric, scheduler.mode, scheduler.grace, scheduler.reduction_factor, longest)


def _result(plan: SweepPlan, study: Study, ledger: Ledger, spent: SweepTime | None) -> SweepResult:
    """The sweep's result; a whole one is kept, and found again when there is nothing left to do."""
    key = f"{sweep_folder(plan.digest)}/result.json"
    there = stored_record(study, key, SweepResult)
    say_damage(study, there)
    if spent is None and there.value is not None:
        return there.value
    result = SweepResult(
        study=plan.config.study,
        digest=plan.digest,
        source=plan.source,
        stage=plan.config.stage,
        keys=plan.keys,
        trials=tuple(ledger.records[trial.name] for trial in plan.trials if trial.name in ledger.records),
        failed=dict(ledger.failures),
        time=spent,
        environment=describe_environment(),
    )
    if not result.failed:
        there.commit(record_bytes(result, key))
    return result


def _write_report(plan: SweepPlan, study: Study, result: SweepResult) -> tuple[Path, ...]:
    """Tables and figure below the artifact root. What is written under a remote one stays, so that an incomplete
    report, and one with other columns, get names of their own there."""
    folder = f"reports/{plan.config.study}-{plan.digest}"
    if study.store.root is None and result.failed:
        folder += f"-{len(result.trials)}-of-{len(plan.trials)}"
    if study.store.root is None and plan.config.columns:
        folder += f"-columns-{digest({'columns': plan.config.columns})}"
    configuration = masked_settings(plan.config.model_dump(mode="json"))
    origin = Origin(masked(plan.command), configuration)
    columns = plan.config.columns
    source = made_of(result, origin, *columns)
    return store_files(study, folder, source, lambda: render_sweep(result, columns, origin))
