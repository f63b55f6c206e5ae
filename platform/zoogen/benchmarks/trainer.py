"""How fast the cohort trainer is beside torchgfn and gfnx."""

from contextlib import ExitStack
from statistics import median
from typing import Any

from zoogen.benchmarks.config import TrainerBenchmark
from zoogen.benchmarks.contenders import Contender, Timing, contender, interpreter_of
from zoogen.benchmarks.measured import BenchmarkConsole, Measured
from zoogen.benchmarks.result import Measure
from zoogen.tasks.hypergrid.structure import HypergridStructure

TARGETS = {"torchgfn": 35.0, "gfnx": 1.3}
METHOD = (
    "Trajectory balance on {grid}, hidden width {hidden}, {batch} trajectories per iteration, Adam, one thread{core}. "
    "Each contender runs in a process of its own; after {warm_up} iterations of warming up (compilation included) "
    "they take turns in {rounds} rounds of {iterations} iterations each. A model-iteration is one gradient step of one "
    "policy: the cohort trainer and gfnx (jit and vmap) train {models} policies at once, torchgfn one. Rates are "
    "medians over the rounds; a ratio is the median of those within the rounds, by wall clock and by processor time."
)


def measure_trainer(config: TrainerBenchmark, console: BenchmarkConsole) -> Measured:
    """Model-iterations per second of every contender, and ratios."""
    structure = HypergridStructure.parse(config.structure)
    workload = {
        "ndim": structure.dimensions,
        "height": structure.horizon,
        "hidden": config.hidden,
        "batch": config.batch_size,
        "models": config.models,
        "lr": config.learning_rate,
        "logz_lr": config.log_z_learning_rate,
        "warm_up": config.warm_up,
        "seed": config.seed,
    }
    rivals: list[str] = [name for name in config.against if interpreter_of(name) is not None]
    notices = [f"{name} is not installed and was left out" for name in config.against if name not in rivals]
    timings, versions = _rounds(config, ["cohort", *rivals], workload, console)
    models = {name: 1 if name == "torchgfn" else config.models for name in timings}
    measures = []
    for name in rivals:
        for clock, target in (("wall", TARGETS[name]), ("cpu", None)):
            share = models["cohort"] / models[name]
            pairs = zip(timings["cohort"], timings[name], strict=True)
            ratio = median(share * getattr(theirs, clock) / getattr(ours, clock) for ours, theirs in pairs)
            title = f"cohort trainer / {name}" + ("" if clock == "wall" else " (processor time)")
            measures.append(Measure(name=title, value=ratio, unit="×", better="higher", target=target))
    rows: list[dict[str, Any]] = []
    for contestant, turns in timings.items():
        steps = models[contestant] * config.iterations
        rates = {clock: sorted(steps / getattr(t, clock) for t in turns) for clock in ("wall", "cpu")}
        rows.append(
            {
                "contender": contestant,
                "models": models[contestant],
                "model-iterations/s": median(rates["wall"]),
                "slowest round": rates["wall"][0],
                "fastest round": rates["wall"][-1],
                "by processor time": median(rates["cpu"]),
                "log Z after": turns[-1].log_z,
                "versions": ", ".join(f"{k} {v}" for k, v in versions[contestant].items()),
            }
        )
    method = METHOD.format(
        grid=structure.label,
        hidden=config.hidden,
        batch=config.batch_size,
        core="" if config.core is None else f" on core {config.core}",
        warm_up=config.warm_up,
        rounds=config.rounds,
        iterations=config.iterations,
        models=config.models,
    )
    return Measured("Cohort trainer against other libraries", method, tuple(measures), tuple(rows), tuple(notices))


def _rounds(
    config: TrainerBenchmark, names: list[str], workload: dict[str, Any], console: BenchmarkConsole
) -> tuple[dict[str, list[Timing]], dict[str, dict[str, str]]]:
    timings: dict[str, list[Timing]] = {name: [] for name in names}
    with ExitStack() as stack, console.progress("benchmark", "turns") as report:
        started: list[Contender] = []
        for name in names:
            console.say(f"warming up: {name}")
            started.append(stack.enter_context(contender(name, workload, config.core)))
        total = config.rounds * len(names)
        for index in range(config.rounds):
            turn = index % len(names)
            for rival in started[turn:] + started[:turn]:  # nobody is always first
                timings[rival.name].append(rival.train(config.iterations))
                report(sum(map(len, timings.values())), total, {})
        return timings, {rival.name: rival.versions for rival in started}
