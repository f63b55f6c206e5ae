"""How fast small classifiers are trained: stacked, by workers, one by one, and by a plain loop."""

import multiprocessing
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from statistics import median

import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from zoogen.benchmarks.classifiers_config import ClassifiersBenchmark
from zoogen.benchmarks.measured import BenchmarkConsole, Measured, torch_threads
from zoogen.benchmarks.result import Cell, Measure
from zoogen.identity import derive_seed
from zoogen.seeds import seeded_generator
from zoogen.tasks.images.config import ImagesConfig, PhaseConfig
from zoogen.tasks.images.optimisers import build_optimiser
from zoogen.tasks.images.structure import classifier_of, images_of
from zoogen.tasks.images.task import ImagesTask
from zoogen.tasks.records import CohortSpec, RunSpec

METHOD = (
    "{models} networks of each structure trained from their own initial weights for {iterations} steps of "
    "cross-entropy, batches of {batch}, {optimiser}: all in one batched pass (`stacked`), by {workers} processes of "
    "one thread each (`workers`), one after the other on one thread (`one by one`), and by the plain loop of a "
    "tutorial (DataLoader, backward, step) on one thread. In turns, {rounds} rounds after one that warms up; ratios "
    "are medians of those within the rounds, by wall clock. A model-step is one gradient step of one network."
)
PLAIN = "plain loop"


def measure_classifiers(config: ClassifiersBenchmark, console: BenchmarkConsole) -> Measured:
    """Model-steps per second of each way, and ratios to the plain loop."""
    measures: list[Measure] = []
    rows: list[dict[str, Cell]] = []
    context = multiprocessing.get_context("spawn")
    turns = len(config.structures) * (config.rounds + 1)
    workers = ProcessPoolExecutor(config.workers, context, initializer=torch.set_num_threads, initargs=(1,))
    with torch_threads(1), workers as pool, console.progress("training", "rounds") as report:
        for number, structure in enumerate(config.structures):
            task = ImagesTask(config.task_of("single"))
            name = task.canonical(structure)
            ways = _ways(config, name, pool)
            seconds: dict[str, list[float]] = {way: [] for way in ways}
            for index in range(config.rounds + 1):
                for way in _turn(list(ways), index):
                    begin = time.perf_counter()
                    ways[way]()
                    if index:
                        seconds[way].append(time.perf_counter() - begin)
                report(number * (config.rounds + 1) + index + 1, turns, {})
            measures.extend(_measures(task.label(name), seconds))
            rows.extend(_rows(config, task.label(name), seconds))
    phase = config.task_of("single").collection
    method = METHOD.format(
        models=config.models,
        iterations=config.iterations,
        batch=phase.batch_size,
        optimiser=phase.optimiser.kind,
        workers=config.workers,
        rounds=config.rounds,
    )
    return Measured("Training many small classifiers", method, tuple(measures), tuple(rows))


def _ways(
    config: ClassifiersBenchmark, structure: str, pool: ProcessPoolExecutor
) -> Mapping[str, Callable[[], object]]:
    runs = tuple(
        RunSpec(k, derive_seed("run", config.seed, k), derive_seed("initial", config.seed, k))
        for k in range(config.models)
    )
    single, shares = config.task_of("single"), [runs[k :: config.workers] for k in range(config.workers)]
    filled = [share for share in shares if share]

    def workers() -> None:
        list(pool.map(train_runs, [single] * len(filled), [structure] * len(filled), filled))

    return {
        "stacked": lambda: train_runs(config.task_of("stacked"), structure, runs),
        "workers": workers,
        "one by one": lambda: train_runs(single, structure, runs),
        PLAIN: lambda: train_plainly(single, structure, [run.init_seed for run in runs]),
    }


def train_runs(config: ImagesConfig, structure: str, runs: tuple[RunSpec, ...]) -> None:
    """As a zoo is trained."""
    task = ImagesTask(config)
    task.train_cohort(CohortSpec(task.resolved_for(structure), structure, runs))


def train_plainly(config: ImagesConfig, structure: str, seeds: Sequence[int]) -> list[float]:
    """As everybody would write it; the last loss of each network."""
    found, split, phase = classifier_of(config, structure), images_of(config, structure).train, config.collection
    losses = []
    for seed in seeds:
        module = found.fresh(seed).train().requires_grad_(True)
        optimiser = build_optimiser(phase.optimiser, module.parameters())
        order = seeded_generator(seed % 2**63)
        loader = DataLoader(
            TensorDataset(split.images, split.labels), _batch(phase, len(split)), True, drop_last=True, generator=order
        )
        done = 0
        while done < phase.iterations:
            for images, labels in loader:
                loss = cross_entropy(module(images), labels)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                done += 1
                if done == phase.iterations:
                    break
        losses.append(float(loss.detach()))
    return losses


def _batch(phase: PhaseConfig, images: int) -> int:
    return min(phase.batch_size, images)


def _turn(names: list[str], index: int) -> list[str]:
    """Nobody is always first."""
    return names[index % len(names) :] + names[: index % len(names)]


def _measures(label: str, seconds: Mapping[str, Sequence[float]]) -> list[Measure]:
    def ratio(way: str) -> float:
        return median(plain / ours for plain, ours in zip(seconds[PLAIN], seconds[way], strict=True))

    return [
        Measure(name=f"{way} / {PLAIN}, {label}", value=ratio(way), unit="×", better="higher")
        for way in seconds
        if way != PLAIN
    ]


def _rows(config: ClassifiersBenchmark, label: str, seconds: Mapping[str, Sequence[float]]) -> list[dict[str, Cell]]:
    steps = config.models * config.iterations
    return [
        {
            "structure": label,
            "way": way,
            "model-steps/s": steps / median(turns),
            "slowest round": steps / max(turns),
            "fastest round": steps / min(turns),
        }
        for way, turns in seconds.items()
    ]
