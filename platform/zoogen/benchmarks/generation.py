"""How long it takes to generate policies."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import torch

from zoogen.autoencoders.build import build_autoencoder, shape_for
from zoogen.autoencoders.codec import WeightCodec
from zoogen.benchmarks.config import GenerationBenchmark
from zoogen.benchmarks.measured import BenchmarkConsole, Measured
from zoogen.benchmarks.result import Measure
from zoogen.errors import ZoogenError
from zoogen.generators.build import build_generator
from zoogen.generators.latent_weight_generator import LatentWeightGenerator
from zoogen.seeds import reseed
from zoogen.tasks.hypergrid.task import HypergridTask
from zoogen.weights.scaling import WeightScaler

METHOD = (
    "{count} policies of {label} generated at once with {sampler} sampling, {steps} steps, on one thread{core}; "
    "from noise to flat weights, the decoder included. One call warms up, then the median of {rounds}. {origin}"
)


def measure_generation(config: GenerationBenchmark, console: BenchmarkConsole) -> Measured:
    """Seconds per call, after one call that warms up."""
    task = HypergridTask(config.task)
    target = task.target(config.structure)
    with _one_core(config.core):
        generator = _generator(config, task)
        sampler = config.sampler or generator.config.sampler
        steps = generator.model.steps(sampler)
        walls, cpus = [], []
        with console.progress("generating", "rounds") as report:
            for index in range(config.rounds + 1):
                wall, cpu = time.perf_counter(), time.process_time()
                weights = generator.generate(target, config.count, config.seed + index, sampler=sampler)
                wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
                report(index + 1, config.rounds + 1, {})
                if index:
                    walls.append(wall)
                    cpus.append(cpu)
    if not bool(torch.isfinite(weights).all()):
        raise ZoogenError("the generator made weights that are not finite; train it again")
    name = f"{config.count} policies of {target.label}"
    measures = (
        Measure(name=name, value=median(walls), unit="s", better="lower", target=config.target),
        Measure(name=f"{name} (processor time)", value=median(cpus), unit="s", better="lower"),
    )
    trained = config.artifact is not None
    origin = "The generator is trained." if trained else "The networks are untrained, which takes the same time."
    method = METHOD.format(
        count=config.count,
        label=target.label,
        sampler=sampler.kind.upper(),
        steps=steps,
        core="" if config.core is None else f" on core {config.core}",
        rounds=config.rounds,
        origin=origin,
    )
    row = {
        "policies": config.count,
        "median s": median(walls),
        "fastest s": min(walls),
        "slowest s": max(walls),
        "median processor s": median(cpus),
        "ms per policy": 1000 * median(walls) / config.count,
    }
    return Measured("Time to generate", method, measures, (row,))


def _generator(config: GenerationBenchmark, task: HypergridTask) -> LatentWeightGenerator:
    if config.artifact is not None:
        try:
            return LatentWeightGenerator.from_bytes(Path(config.artifact).read_bytes())
        except OSError as error:
            raise ZoogenError(f"cannot read the generator {config.artifact}: {error.strerror}") from None
    targets = [task.target(structure) for structure in config.structures]
    reseed(torch.default_generator, config.seed)
    weights = [(target.layout, task.untrained(target.structure, 4, config.seed)) for target in targets]
    scaler = WeightScaler.fit(config.autoencoder.scaling, weights)
    autoencoder = build_autoencoder(config.autoencoder, shape_for(config.autoencoder, targets))
    latent = autoencoder.latent
    codec = WeightCodec(config.autoencoder, scaler, autoencoder, torch.zeros(latent), torch.ones(latent))
    conditions = torch.tensor([target.condition for target in targets], dtype=torch.float32)
    model = build_generator(config.generator, latent, conditions.shape[1])
    model.fit_conditions(conditions)
    return LatentWeightGenerator(config.generator, model.eval(), codec, [target.structure for target in targets])


@contextmanager
def _one_core(core: int | None) -> Iterator[None]:
    """One torch thread, and this process on one core if asked for; put back afterwards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    allowed = os.sched_getaffinity(0) if core is not None and hasattr(os, "sched_getaffinity") else None
    try:
        if allowed is not None and core is not None:
            if core not in allowed:
                raise ZoogenError(f"core {core} is not one of this process's: {sorted(allowed)}")
            os.sched_setaffinity(0, {core})
        yield
    finally:
        torch.set_num_threads(threads)
        if allowed is not None:
            os.sched_setaffinity(0, allowed)
