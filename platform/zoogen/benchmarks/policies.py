"""How good conventionally trained policies are, what they cost, structure by structure."""

from pathlib import Path
from statistics import median

import torch

from zoogen.benchmarks.config import PoliciesBenchmark
from zoogen.benchmarks.measured import BenchmarkConsole, Measured
from zoogen.benchmarks.result import Measure
from zoogen.errors import DamagedError, ZoogenError
from zoogen.evaluation.records import Record, read_record, record_bytes
from zoogen.identity import digest
from zoogen.tasks.hypergrid.structure import HypergridStructure
from zoogen.tasks.hypergrid.task import HypergridTask
from zoogen.tasks.records import CohortSpec
from zoogen.zoo.config import ZooConfig
from zoogen.zoo.plan import plan_zoo, structure_key

METHOD = (
    "{runs} runs per structure from one shared initialisation, trained as one cohort on one thread with the learning "
    "rate and schedule of the configuration; exact metrics of the last checkpoint, medians over the runs. Seconds are "
    "wall-clock for all runs together."
)


class PolicyRecord(Record):
    """Conventional training on one structure.

    Attributes:
        identity: digest of what was trained.
        metrics: exact metric to one value per run.
        seconds: training of all runs together.
    """

    identity: str
    structure: str
    label: str
    states: int
    iterations: int
    batch_size: int
    metrics: dict[str, tuple[float, ...]]
    seconds: float


def measure_policies(config: PoliciesBenchmark, console: BenchmarkConsole) -> Measured:
    """Train what is not there yet, and gather the records of all structures."""
    task = HypergridTask(config.task)
    zoo = ZooConfig(
        structures=config.structures,
        runs=config.runs,
        validation_runs=0,
        test_runs=0,
        cohort=config.runs,
        seed=config.seed,
    )
    records = [_record(task, spec, Path(config.results) / "policies", console) for spec in plan_zoo(zoo, task).cohorts]
    measures = []
    for record in records:
        target = config.small_target if record.states < config.small_states else config.target
        js = median(record.metrics["js"])
        measures.append(Measure(name=f"exact JS {record.label}", value=js, unit="nats", better="lower", target=target))
    rows = tuple(
        {
            "structure": record.label,
            "states": record.states,
            "iterations": record.iterations,
            "batch": record.batch_size,
            "median JS": median(record.metrics["js"]),
            "best JS": min(record.metrics["js"]),
            "worst JS": max(record.metrics["js"]),
            "median KL": median(record.metrics["kl"]),
            "median TV": median(record.metrics["tv"]),
            "seconds": record.seconds,
            "seconds per policy": record.seconds / len(record.metrics["js"]),
        }
        for record in records
    )
    return Measured("Conventionally trained policies", METHOD.format(runs=config.runs), tuple(measures), rows)


def _record(task: HypergridTask, spec: CohortSpec, folder: Path, console: BenchmarkConsole) -> PolicyRecord:
    structure, path = HypergridStructure.parse(spec.structure), folder / f"{structure_key(spec.structure)}.json"
    identity = digest({"cohort": spec.digest, "metrics": 1})
    known = _read(path)
    if known is not None and known.identity == identity:
        return known
    torch.set_num_threads(1)
    training = task.config.training.for_structure(spec.structure)
    with console.progress(structure.label, "iterations") as report:
        cohort = task.train_cohort(spec, progress=report)
    scores = task.score(spec.structure, cohort.weights[:, -1])
    if "exact" not in scores.groups:
        raise ZoogenError(f"{structure.label} has no exact metrics: {'; '.join(scores.notices)}")
    record = PolicyRecord(
        identity=identity,
        structure=spec.structure,
        label=structure.label,
        states=structure.states,
        iterations=training.iterations,
        batch_size=training.batch_size,
        metrics={name: tuple(values.tolist()) for name, values in scores.groups["exact"].values.items()},
        seconds=cohort.seconds,
    )
    folder.mkdir(parents=True, exist_ok=True)
    _write(path, record)
    console.say(f"{structure.label}: median exact JS {median(record.metrics['js']):.2g}, {record.seconds:.0f} s")
    return record


def _read(path: Path) -> PolicyRecord | None:
    try:
        return read_record(PolicyRecord, path.read_bytes(), str(path))
    except (OSError, DamagedError):
        return None  # not there, damaged, or of another version: it is measured again


def _write(path: Path, record: PolicyRecord) -> None:
    whole = path.with_suffix(".tmp")
    whole.write_bytes(record_bytes(record))
    whole.replace(path)
