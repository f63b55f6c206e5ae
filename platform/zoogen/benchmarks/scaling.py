"""How building a zoo scales from the plain loop to one Ray worker and to several."""

import tempfile
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch

from zoogen.benchmarks.config import ScalingBenchmark
from zoogen.benchmarks.measured import BenchmarkConsole, Measured
from zoogen.benchmarks.result import Measure
from zoogen.orchestration.cluster import connect
from zoogen.orchestration.config import PoolConfig
from zoogen.orchestration.pool import build_zoo
from zoogen.tasks.hypergrid.task import HypergridTask
from zoogen.zoo.build import ZooReport, build_serially
from zoogen.zoo.config import ZooConfig
from zoogen.zoo.plan import ZooPlan, plan_zoo
from zoogen.zoo.store import ArtifactStore

TARGETS = {"several": 1.7, "one": 0.9}
METHOD = (
    "{cohorts} cohorts of {cohort} policies on {label} ({iterations} iterations each) trained, judged and committed to "
    "an empty store by the plain loop in this process, by one Ray worker and by {workers}, in turns, {rounds} rounds. "
    "Rates count whole builds by wall clock, with the start of workers but without that of Ray itself; ratios are "
    "medians of those within the rounds."
)


def measure_scaling(config: ScalingBenchmark, console: BenchmarkConsole) -> Measured:
    """Build the same zoo in three ways, in turns."""
    task = HypergridTask(config.task)
    zoo = ZooConfig(
        structures=(config.structure,),
        runs=config.cohorts * config.cohort,
        validation_runs=0,
        test_runs=0,
        cohort=config.cohort,
        seed=config.seed,
    )
    plan = plan_zoo(zoo, task)
    several = f"{config.workers} Ray workers"
    ways: dict[str, Callable[[str], ZooReport]] = {
        "plain loop": lambda uri: build_serially(plan, task, ArtifactStore(uri)),
        "1 Ray worker": lambda uri: _pool(plan, task, uri, 1),
        several: lambda uri: _pool(plan, task, uri, config.workers),
    }
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the workers do
    try:
        with connect(num_cpus=config.workers):  # once for all rounds: every build finds Ray running
            _warm_up(config)
            seconds = _turns(ways, config.rounds, console)
    finally:
        torch.set_num_threads(threads)
    policies = config.cohorts * config.cohort

    def ratio(name: str, over: str) -> float:
        return median(theirs / ours for ours, theirs in zip(seconds[name], seconds[over], strict=True))

    measures = (
        Measure(
            name=f"{several} / 1 Ray worker",
            value=ratio(several, "1 Ray worker"),
            unit="×",
            better="higher",
            target=TARGETS["several"],
        ),
        Measure(
            name="1 Ray worker / plain loop",
            value=ratio("1 Ray worker", "plain loop"),
            unit="×",
            better="higher",
            target=TARGETS["one"],
        ),
    )
    rows: tuple[dict[str, Any], ...] = tuple(
        {
            "way": name,
            "policies/s": policies / median(turns),
            "median s": median(turns),
            "fastest s": min(turns),
            "slowest s": max(turns),
        }
        for name, turns in seconds.items()
    )
    method = METHOD.format(
        cohorts=config.cohorts,
        cohort=config.cohort,
        label=task.label(config.structure),
        iterations=config.task.training.for_structure(plan.structures[0]).iterations,
        workers=config.workers,
        rounds=config.rounds,
    )
    return Measured("Building a zoo with more workers", method, measures, rows)


def _turns(
    ways: dict[str, Callable[[str], ZooReport]], rounds: int, console: BenchmarkConsole
) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    names, done = list(ways), 0
    with console.progress("benchmark", "builds") as report:
        for index in range(rounds):
            turn = index % len(names)
            for name in names[turn:] + names[:turn]:
                with tempfile.TemporaryDirectory(prefix="zoogen-scaling-") as folder:
                    start = time.perf_counter()
                    ways[name](folder)
                    seconds[name].append(time.perf_counter() - start)
                done += 1
                report(done, rounds * len(names), {"s": seconds[name][-1]})
    return seconds


def _pool(plan: ZooPlan, task: HypergridTask, uri: str, workers: int) -> ZooReport:
    return build_zoo(plan, task, uri, PoolConfig(workers=workers))


def _warm_up(config: ScalingBenchmark) -> None:
    """What either way does only once in a process or on a cluster."""
    task = HypergridTask(config.task.model_copy(update={"training": config.task.training.model_copy(update=_SHORT)}))
    zoo = ZooConfig(structures=(config.structure,), runs=2, validation_runs=0, test_runs=0, cohort=1, seed=config.seed)
    plan = plan_zoo(zoo, task)
    with tempfile.TemporaryDirectory(prefix="zoogen-scaling-") as one, tempfile.TemporaryDirectory() as two:
        build_serially(plan, task, ArtifactStore(one))
        _pool(plan, task, two, config.workers)


_SHORT = {"iterations": 2, "by_structure": {}}
