"""Running a benchmark: configuration in, JSON and Markdown out, or a comparison with what is there."""

import os
import shlex
from pathlib import Path

from zoogen.benchmarks.classifiers import measure_classifiers
from zoogen.benchmarks.config import (
    KINDS,
    BenchmarkConfig,
    ClassifiersBenchmark,
    GenerationBenchmark,
    JudgingBenchmark,
    KnownBenchmark,
    MemoryBenchmark,
    PoliciesBenchmark,
    ProtocolBenchmark,
    RecipeBenchmark,
    ScalingBenchmark,
    TrainerBenchmark,
)
from zoogen.benchmarks.generation import measure_generation
from zoogen.benchmarks.judging import measure_judging
from zoogen.benchmarks.known import measure_known
from zoogen.benchmarks.measured import BenchmarkConsole, Measured
from zoogen.benchmarks.memory import measure_memories
from zoogen.benchmarks.policies import measure_policies
from zoogen.benchmarks.protocol import measure_protocol
from zoogen.benchmarks.recipe import measure_recipe
from zoogen.benchmarks.result import BenchmarkResult, regressions
from zoogen.benchmarks.trainer import measure_trainer
from zoogen.config import parse_config, read_mapping
from zoogen.errors import ZoogenError
from zoogen.evaluation.machine import describe_environment
from zoogen.shown import shown


def load_benchmark(path: str | Path, overrides: list[str] | tuple[str, ...] = ()) -> BenchmarkConfig:
    """The configuration in a YAML file with overrides.

    Raises:
        ZoogenError: the file cannot be read, its kind is unknown, or a key or value is wrong.
    """
    mapping = read_mapping(path, overrides)
    kind = mapping.get("kind")
    if kind not in KINDS:
        raise ZoogenError(f"{path}: unknown benchmark {shown(kind)}; kind is one of {', '.join(KINDS)}")
    return parse_config(KINDS[kind], mapping, str(path))


def run_benchmark(path: str, overrides: list[str], console: BenchmarkConsole) -> BenchmarkResult:
    """Measure, show, and keep the result; with `check`, compare with the kept result instead.

    Raises:
        ZoogenError: bad input, or with `check` a measure that got worse.
    """
    config = load_benchmark(path, overrides)
    folder = Path(config.results)
    kept = folder / f"{config.kind}.json"
    baseline = BenchmarkResult.read(kept) if config.check else None
    if baseline is None:
        _require_writable(folder)
    measured = _measure(config, console)
    command = shlex.join(["zoogen", "benchmark", str(path), *overrides])
    result = BenchmarkResult(
        kind=config.kind,
        title=measured.title,
        method=measured.method,
        command=command,
        seed=config.seed,
        config=config.model_dump(mode="json"),
        measures=measured.measures,
        table=measured.table,
        notices=measured.notices,
        environment=describe_environment(),
    )
    for line in (result.title, *result.lines(), *(f"notice: {notice}" for notice in result.notices)):
        console.show(line)
    if baseline is not None:
        if worse := regressions(result, baseline, config.tolerance):
            raise ZoogenError(f"worse than {kept} by more than {config.tolerance:.0%}: {'; '.join(worse)}")
        console.show(f"no measure is worse than in {kept} by more than {config.tolerance:.0%}")
        return result
    _write(kept, result.to_json())
    _write(kept.with_suffix(".md"), result.to_markdown())
    console.show(f"  {kept}\n  {kept.with_suffix('.md')}")
    return result


def _measure(config: BenchmarkConfig, console: BenchmarkConsole) -> Measured:
    match config:
        case TrainerBenchmark():
            return measure_trainer(config, console)
        case PoliciesBenchmark():
            return measure_policies(config, console)
        case GenerationBenchmark():
            return measure_generation(config, console)
        case KnownBenchmark():
            return measure_known(config, console)
        case ProtocolBenchmark():
            return measure_protocol(config, console)
        case RecipeBenchmark():
            return measure_recipe(config, console)
        case MemoryBenchmark():
            return measure_memories(config, console)
        case ClassifiersBenchmark():
            return measure_classifiers(config, console)
        case JudgingBenchmark():
            return measure_judging(config, console)
        case ScalingBenchmark():
            from zoogen.benchmarks.scaling import measure_scaling  # needs Ray, the others do not

            return measure_scaling(config, console)


def _require_writable(folder: Path) -> None:
    """Before hours of measuring rather than after."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        raise ZoogenError(f"cannot write to the results folder {folder}; give another with results=FOLDER")


def _write(path: Path, text: str) -> None:
    whole = path.with_name(path.name + ".tmp")
    whole.write_text(text)
    whole.replace(path)
