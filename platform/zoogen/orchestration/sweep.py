"""Ray Tune: many trials of one function, some at a time, stopped early by their training curves where asked for.

The function and its results are the caller's; nothing is ever read back from Ray's own files, which are pickles in a
folder that is deleted at the end.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from zoogen.errors import ZoogenError
from zoogen.exits import Exit, SignalExit, stopped_by
from zoogen.orchestration.cluster import Cluster, import_ray
from zoogen.orchestration.relay import ERROR, MAX_DEATHS, RESULT, TRIAL, TrialListener, relay_to, stopper_of
from zoogen.orchestration.trial import STEP, Leases, TrialHandle
from zoogen.secrets import mask_output

_TRAINS_ELSEWHERE = 0.01  # CPUs of a trial whose work is done by others; Tune takes no zero
_SETTINGS = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # no CSV, JSON and TensorBoard files
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # an interrupt is the caller's
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # only one stage of a trial reports the scheduler's metric
    "RAY_AIR_NEW_OUTPUT": "0",  # the new output prints even when it is told not to
    "TUNE_PRINT_ALLTRIALERRORS": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",  # the state of the experiment is not kept
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",
}


@dataclass(frozen=True)
class HalvingRule:
    """Asynchronous successive halving by a figure of the reports; see `ASHAScheduler`."""

    metric: str
    mode: str
    grace: int
    reduction_factor: float
    iterations: int  # longest training of the sweep


@dataclass(frozen=True)
class TrialResources:
    """What a trial reserves, and how many run at a time.

    Attributes:
        cpus, gpus: of the trial's own process; it computes there.
        workers_cpus: CPUs of the Ray Train workers that compute for it; then the trial itself reserves next to none.
        at_once: trials at a time, None for as many as the cluster holds.
    """

    cpus: float = 1.0
    gpus: float = 0.0
    workers_cpus: float = 0.0
    at_once: int | None = None

    @property
    def reserved_cpus(self) -> float:
        return _TRAINS_ELSEWHERE if self.workers_cpus else self.cpus

    def concurrency(self, cluster: Cluster, trials: int) -> int:
        """Number of trials at a time. What Ray Train's workers need stays free: else all would wait for each other.

        Raises:
            ZoogenError: the cluster cannot hold one.
        """
        cpus = self.reserved_cpus + self.workers_cpus
        held = int(cluster.cpus / cpus + 1e-9)
        if self.gpus:
            held = min(held, int(cluster.gpus / self.gpus + 1e-9))
        if held < 1:
            raise ZoogenError(
                f"a trial needs {cpus:g} CPUs and {self.gpus:g} GPUs, the cluster has {cluster.cpus:g} CPUs and "
                f"{cluster.gpus:g} GPUs; lower cpus_per_trial or gpus_per_trial, or train's workers with train_in: ray"
            )
        return max(1, min(held, trials, self.at_once or held))


Work = Callable[[Any, TrialHandle], str]  # (payload, handle) to the result as text


def run_trials(
    work: Work,
    payloads: Mapping[str, Any],
    resources: TrialResources,
    at_once: int,
    listener: TrialListener,
    rule: HalvingRule | None = None,
    history: Sequence[Sequence[Mapping[str, float]]] = (),
) -> None:
    """Call `work` for every payload on the connected cluster, `at_once` at a time, in the order given.

    Args:
        work: importable function; what it raises makes its trial a failed one.
        payloads: trial name to what `work` gets.
        resources: reserved by each trial.
        at_once: trials at a time, see `TrialResources.concurrency`.
        listener: told what becomes of them, in this process.
        rule: stops trials early.
        history: curves of trials of earlier calls, which the rule compares with, too.

    Raises:
        What the listener raised, after the trials were ended.
    """
    ray = import_ray()
    with _environment(), tempfile.TemporaryDirectory(prefix="zoogen-tune-") as folder:
        from ray import tune

        leases = ray.remote(num_cpus=0)(Leases).remote()
        function = tune.with_parameters(_trainable, work=work, payloads=dict(payloads), leases=leases)
        reserved = {"cpu": resources.reserved_cpus, **({"gpu": resources.gpus} if resources.gpus else {})}
        relay = relay_to(listener, leases)
        tuner = tune.Tuner(
            tune.with_resources(function, reserved),
            param_space={TRIAL: tune.grid_search(list(payloads))},
            tune_config=tune.TuneConfig(
                max_concurrent_trials=at_once,
                scheduler=_scheduler(rule, history) if rule is not None else None,
                reuse_actors=True,
                trial_dirname_creator=lambda trial: str(trial.trial_id),
            ),
            run_config=tune.RunConfig(
                name="sweep",
                storage_path=folder,
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=MAX_DEATHS),
                callbacks=[relay],
                stop=stopper_of(relay),
            ),
        )
        try:
            tuner.fit()
            ray.kill(leases)
            if relay.error is not None:
                raise relay.error
        except SystemExit as stop:  # Tune turns signals into exits of several codes
            raise SignalExit(stopped_by(stop) or Exit.TERMINATED) from None


@contextmanager
def _environment() -> Iterator[None]:
    """Settings of Tune, which are read from the environment; those of the user win."""
    added = [name for name in _SETTINGS if name not in os.environ]
    os.environ.update({name: _SETTINGS[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def _trainable(config: dict[str, Any], work: Work, payloads: Mapping[str, Any], leases: Any) -> None:
    """What runs in a trial's process. SystemExit passes: the scheduler stops a trial by it."""
    mask_output()
    name = config[TRIAL]
    handle = TrialHandle(name, leases)
    try:
        result = {RESULT: work(payloads[name], handle)}
    except ZoogenError as error:
        result = {ERROR: str(error)}
    except Exception as error:
        result = {ERROR: f"{type(error).__name__}: {error}"}
    handle.report(result)


def _scheduler(rule: HalvingRule, history: Sequence[Sequence[Mapping[str, float]]]) -> Any:
    from ray.tune.schedulers import ASHAScheduler

    scheduler = ASHAScheduler(
        time_attr=STEP,
        metric=rule.metric,
        mode=rule.mode,
        max_t=rule.iterations + 1,  # at max_t itself Tune would stop a trial that is about to finish
        grace_period=rule.grace,
        reduction_factor=rule.reduction_factor,
    )
    for number, curve in enumerate(history):
        trial: Any = SimpleNamespace(trial_id=f"earlier-{number}")
        controller: Any = None  # not used by this scheduler
        scheduler.on_trial_add(controller, trial)
        for point in curve:
            scheduler.on_trial_result(controller, trial, dict(point))
    return scheduler
