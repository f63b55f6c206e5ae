"""How long our recipe takes beside the paper's, and whether its networks are as good."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from zoogen.artifact import Artifact, examine
from zoogen.autoencoders.codec import WeightCodec
from zoogen.autoencoders.train import train_codec
from zoogen.benchmarks.measured import BenchmarkConsole, Measured, torch_threads
from zoogen.benchmarks.result import Cell, Measure
from zoogen.benchmarks.weights_config import Recipe, RecipeBenchmark
from zoogen.evaluation.records import Record, read_record, record_bytes
from zoogen.generators.latent_weight_generator import LatentWeightGenerator
from zoogen.generators.train import train_generator
from zoogen.identity import derive_seed, digest
from zoogen.tasks.base import Task
from zoogen.tasks.registry import build_task
from zoogen.training.hooks import LocalHooks
from zoogen.zoo.build import build_serially
from zoogen.zoo.plan import ZooPlan, plan_zoo
from zoogen.zoo.progress import ZooProgress
from zoogen.zoo.read import CheckpointSet, Zoo
from zoogen.zoo.store import ArtifactStore

STAGES = ("autoencoder", "generator", "generating")
METHOD = (
    "Both recipes learn from the same {checkpoints} checkpoints of {label} ({size} weights) and generate {count} "
    "networks, on {device} with {threads} thread(s) of torch. Seconds are wall-clock times of training the "
    "autoencoder, training the generator and generating; judging is not counted. Ours: {ours}. The paper's: {paper}."
)

Made = TypeVar("Made", WeightCodec, LatentWeightGenerator)
R = TypeVar("R", bound=Record)


class Timing(Record):
    """Seconds of one stage: by the clock, and of the processor for all threads together."""

    wall: float
    cpu: float


class Generated(Record):
    """What became of the generated networks: each one's metric, lower is better; infinite where it is not finite."""

    timing: Timing
    metric: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Outcome:
    """One recipe: seconds of its stages, and its networks' metric [count]."""

    stages: dict[str, Timing]
    generated: Generated

    @property
    def seconds(self) -> float:
        return sum(timing.wall for timing in self.stages.values())


@dataclass(frozen=True)
class _Bench:
    """What both recipes have in common."""

    config: RecipeBenchmark
    task: Task
    plan: ZooPlan
    store: ArtifactStore
    train: CheckpointSet
    console: BenchmarkConsole


def measure_recipe(config: RecipeBenchmark, console: BenchmarkConsole) -> Measured:
    """Train both, unless they were, and put their times and networks side by side."""
    store = ArtifactStore(config.artifacts)
    task = build_task(config.task).using(store)
    plan = plan_zoo(config.zoo, task)
    with torch_threads(config.threads):
        _build(plan, task, store, config, console)
        train = Zoo(store, plan, task).select(plan.structures[0], "train", config.last_checkpoints)
        bench = _Bench(config, task, plan, store, train, console)
        outcomes = {"ours": _run(bench, "ours", config.ours), "the paper's": _run(bench, "paper", config.paper)}
    return _measured(bench, outcomes)


def _build(plan: ZooPlan, task: Task, store: ArtifactStore, config: RecipeBenchmark, console: BenchmarkConsole) -> None:
    with console.progress("zoo", "cohorts") as report:

        def progress(now: ZooProgress) -> None:
            prepared = {} if math.isnan(now.prepared) else {"prepared": now.prepared}
            report(now.cohorts_done, now.cohorts_expected, prepared)

        build_serially(plan, task, store, progress, device=config.device)


def _run(bench: _Bench, name: str, recipe: Recipe) -> Outcome:
    config, train = bench.config, [bench.train]
    common = {"zoo": bench.plan.digest, "last": config.last_checkpoints, "seed": config.seed}
    common |= {"device": config.device, "threads": config.threads}
    first = digest({"stage": "autoencoder", "config": recipe.autoencoder.model_dump(mode="json"), **common})
    second_content = recipe.generator.model_dump(mode="json", exclude={"sampler"})
    second = digest({"stage": "generator", "config": second_content, "autoencoder": first, **common})
    sampler = recipe.generator.sampler.model_dump(mode="json")
    third = digest({"stage": "generating", "sampler": sampler, "count": config.count, "generator": second})

    def codec(hooks: LocalHooks) -> WeightCodec:
        return train_codec(
            recipe.autoencoder, train, [], seed=config.seed, device=config.device, hooks=hooks, digest=first
        )

    made, coding = _trained(bench, f"{name}: autoencoder", first, WeightCodec, codec)

    def generator(hooks: LocalHooks) -> LatentWeightGenerator:
        return train_generator(
            recipe.generator, made, train, seed=config.seed, device=config.device, hooks=hooks, digest=second
        )

    trained, learning = _trained(bench, f"{name}: generator", second, LatentWeightGenerator, generator)
    generated = _generated(bench, name, third, trained, recipe)
    return Outcome(dict(zip(STAGES, (coding, learning, generated.timing), strict=True)), generated)


def _trained(
    bench: _Bench, title: str, name: str, kind: type[Made], train: Callable[[LocalHooks], Made]
) -> tuple[Made, Timing]:
    """A stage's artifact and its seconds: those of before, or made now."""
    key, timing_key, store = f"{_folder(name)}.safetensors", f"{_folder(name)}.json", bench.store
    model, clocked = examine(store, key, kind.from_bytes), _kept(bench, timing_key, Timing)
    if model.value is not None and clocked.value is not None:
        bench.console.say(f"{title}: reused, {store.uri_of(key)}")
        return model.value, clocked.value
    with bench.console.progress(title, "iterations") as report:

        def log(step: int, total: int, figures: object) -> None:
            report(step, total, {})

        with _clock() as spent:
            made = train(LocalHooks(log=log))
    timing = spent()
    model.commit(made.to_bytes())
    clocked.commit(record_bytes(timing, timing_key))
    bench.console.say(f"{title}: {timing.wall:.1f} s, {store.uri_of(key)}")
    return made, timing


def _generated(bench: _Bench, title: str, name: str, generator: LatentWeightGenerator, recipe: Recipe) -> Generated:
    key, config = f"{_folder(name)}.json", bench.config
    there = _kept(bench, key, Generated)
    if there.value is not None:
        return there.value
    bench.console.say(f"{title}: generating {config.count} networks")
    seed = derive_seed("recipe", config.seed)
    with _clock() as spent:
        weights = generator.generate(
            bench.train.target, config.count, seed, config.device, sampler=recipe.generator.sampler
        ).cpu()
    metric, values = _judged(bench, weights)
    found = Generated(timing=spent(), metric=metric, values=values)
    there.commit(record_bytes(found, key))
    return found


def _kept(bench: _Bench, key: str, model: type[R]) -> Artifact[R]:
    return examine(bench.store, key, lambda data: read_record(model, data, bench.store.uri_of(key), key))


def _judged(bench: _Bench, weights: Tensor) -> tuple[str, tuple[float, ...]]:
    finite = torch.isfinite(weights).all(1)
    if not bool(finite.any()):
        return bench.task.primary_metrics[0], (float("inf"),) * len(weights)
    scores = bench.task.score(
        bench.train.target.structure, weights[finite], seed=bench.config.seed, device=bench.config.device
    )
    metric = next(name for name in bench.task.primary_metrics if name in scores.flat())
    values = torch.full((len(weights),), float("inf"), dtype=torch.float64)
    values[finite] = scores.metric(metric).cpu().double()
    return metric, tuple(values.tolist())


def _measured(bench: _Bench, outcomes: dict[str, Outcome]) -> Measured:
    config, (ours, paper) = bench.config, outcomes.values()
    metric = ours.generated.metric
    originals = bench.train.metrics.get(metric)
    rows: list[dict[str, Cell]] = []
    if originals is not None:
        rows.append({"recipe": "training checkpoints", **_quality(metric, originals.tolist())})
    for name, outcome in outcomes.items():
        seconds: dict[str, Cell] = {f"{stage} s": outcome.stages[stage].wall for stage in STAGES}
        total: dict[str, Cell] = {"all s": outcome.seconds, "processor s": _processor(outcome)}
        rows.append({"recipe": name, **_quality(metric, list(outcome.generated.values)), **seconds, **total})
    difference = _mean(ours.generated.values) - _mean(paper.generated.values)
    measures = (
        Measure(
            name="the paper's recipe / ours, seconds",
            value=paper.seconds / ours.seconds,
            unit="×",
            better="higher",
            target=config.target,
        ),
        Measure(
            name="the paper's recipe / ours, processor seconds",
            value=_processor(paper) / _processor(ours),
            unit="×",
            better="higher",
        ),
        Measure(name=f"mean {metric}, ours - the paper's", value=difference, unit="", better="lower", target=0.0),
    )
    method = METHOD.format(
        checkpoints=len(bench.train),
        label=bench.train.target.label,
        size=bench.train.target.layout.size,
        count=config.count,
        device=config.device,
        threads=config.threads,
        ours=_described(config.ours),
        paper=_described(config.paper),
    )
    return Measured("Our recipe against the paper's", method, measures, tuple(rows))


def _quality(metric: str, values: list[float]) -> dict[str, Cell]:
    bad = sum(value == float("inf") for value in values)
    return {"networks": len(values), "not finite": bad, f"mean {metric}": _mean(values), f"best {metric}": min(values)}


def _mean(values: tuple[float, ...] | list[float]) -> float:
    return sum(values) / len(values)


def _processor(outcome: Outcome) -> float:
    return sum(timing.cpu for timing in outcome.stages.values())


def _described(recipe: Recipe) -> str:
    autoencoder, generator = recipe.autoencoder, recipe.generator
    return (
        f"autoencoder {autoencoder.kind}, {autoencoder.iterations} iterations; denoiser {generator.denoiser.kind}, "
        f"{generator.loop.iterations} iterations; {generator.sampler.kind.upper()} with {generator.sampler.steps} steps"
    )


def _folder(name: str) -> str:
    return f"benchmarks/recipe/{name}"


@contextmanager
def _clock() -> Iterator[Callable[[], Timing]]:
    """Seconds of the block, to be asked after it."""
    wall, cpu = time.perf_counter(), time.process_time()
    end: list[Timing] = []
    yield lambda: end[0]
    end.append(Timing(wall=time.perf_counter() - wall, cpu=time.process_time() - cpu))
