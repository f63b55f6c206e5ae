"""Training on from generated, nearest, averaged, random and untrained networks at equal compute.

All starts of a structure are one cohort: equal batches, iterations, schedules and, by their index, equal seeds.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.evaluation.baselines import last_checkpoints
from zoogen.evaluation.candidates import Candidates
from zoogen.evaluation.fine_tuning_config import FineTuningConfig
from zoogen.evaluation.fine_tuning_result import FineTuning, StartCurve, StructureCurves
from zoogen.evaluation.judgement import primary_metric
from zoogen.evaluation.machine import describe_environment
from zoogen.evaluation.methods import candidates_of
from zoogen.evaluation.records import summarise
from zoogen.evaluation.result import Inputs
from zoogen.evaluation.sources import Checkpoints, CheckpointSource, Codec, Generator
from zoogen.evaluation.structure import Sources, StructureData
from zoogen.identity import derive_seed
from zoogen.tasks.base import ProgressCallback, Task
from zoogen.tasks.records import FineTuned, FineTuneSpec

_NO_LEVEL = "no conventionally trained runs, so no level to reach; `reference` may hold some"


def fine_tuning_curves(
    task: Task,
    zoo: CheckpointSource,
    generator: Generator | None,
    config: FineTuningConfig,
    structures: Sequence[str],
    *,
    codec: Codec | None = None,
    reference: CheckpointSource | None = None,
    inputs: Inputs | None = None,
    device: str = "cpu",
    progress: ProgressCallback | None = None,
) -> FineTuning:
    """Fine-tune and judge all starts on all structures.

    Args:
        task: trains and judges.
        zoo: known structures: held-out runs that tell the level, and the training checkpoints that the generator
            learnt from, of which starts are made.
        generator: makes networks; None leaves out its starts.
        config: which starts, how long; its own structures are the caller's to resolve.
        structures: canonical names, known or unseen.
        codec: the generator's autoencoder.
        reference: conventionally trained runs of unseen structures, which tell their level.
        inputs: digests to be named in the result.
        device: where to train and judge.
        progress: told iterations done, in all, and the loss.

    Raises:
        ZoogenError: the task cannot train on, a structure is impossible, or none of the starts exists on it.
    """
    sources = Sources(task, config.evaluation(tuple(structures)), zoo, generator, codec, reference, device=device)
    results = []
    for index, name in enumerate(structures):
        shown = _within(progress, index, len(structures), config.iterations)
        results.append(structure_curves(StructureData(sources, name), config, shown))
    return FineTuning(
        inputs=inputs or Inputs(zoo=zoo.plan.digest, reference=reference.plan.digest if reference else ""),
        task=task.resolved(),
        config=config,
        results=tuple(results),
        environment=describe_environment(device),
    )


def _within(
    progress: ProgressCallback | None, before: int, structures: int, iterations: int
) -> ProgressCallback | None:
    """Progress of a structure as that of all, `before` of which are done. A task counts as it trains: the iterations
    of all networks at once, or those of one network after the other."""
    if progress is None:
        return None
    return lambda done, total, figures: progress(
        before * iterations + round(done / max(1, total) * iterations), structures * iterations, figures
    )


def structure_curves(
    data: StructureData, config: FineTuningConfig, progress: ProgressCallback | None = None
) -> StructureCurves:
    """All starts of one structure, trained together and judged.

    Raises:
        ZoogenError: no start exists here, or the task cannot train on.
    """
    begin = time.perf_counter()
    starts = _starts(data, config)
    made = time.perf_counter()
    trained = _train(data, config, starts, progress)
    end_of_training = time.perf_counter()
    level_of, parts = _conventional(data)
    conventional = last_checkpoints(parts) if parts else torch.empty(0, data.target.layout.size)
    judged = _judge(data, config, starts, trained, conventional)
    level = summarise(judged.conventional).median if judged.conventional else None
    missing = [start for start in config.starts if start not in {candidate.method for candidate in starts}]
    notices = [] if level is not None else [f"{data.target.label}: {_NO_LEVEL}"]
    if missing:
        notices.append(f"{data.target.label}: no {', '.join(missing)} here")
    return StructureCurves(
        structure=data.name,
        label=data.target.label,
        known=data.known,
        primary=judged.metric,
        steps=tuple(trained.steps.tolist()),
        level=level,
        expected_reward=float(perfect[0, -1])
        if (perfect := trained.training.get("expected_reward")) is not None
        else None,
        level_of=level_of,
        level_runs=len(judged.conventional),
        level_steps=max((int(part.steps.max()) for part in parts), default=0),
        curves=_curves(starts, trained, judged.values),
        seconds={
            "making": made - begin,
            "training": trained.seconds,
            "judging": time.perf_counter() - end_of_training,
        },
        notices=tuple(notices),
    )


def _starts(data: StructureData, config: FineTuningConfig) -> list[Candidates]:
    """The starts that exist here, in the order of the configuration, networks that are not finite left out."""
    made = {}
    for candidate in candidates_of(data):
        if candidate.method in config.starts:
            start = candidate.make()
            finite = torch.isfinite(start.weights).all(1)
            lost = int((~finite).sum())
            lines = (f"{lost} of {len(finite)} networks were not finite and are left out",) if lost else ()
            if bool(finite.any()):
                made[start.method] = replace(start, weights=start.weights[finite], notices=start.notices + lines)
    if not made:
        wanted = ", ".join(config.starts)
        raise ZoogenError(
            f"{data.target.label} ({data.name}) has none of the starts {wanted}; add untrained to fine_tuning.starts"
        )
    return [made[start] for start in config.starts if start in made]


def _train(
    data: StructureData, config: FineTuningConfig, starts: Sequence[Candidates], progress: ProgressCallback | None
) -> FineTuned:
    seeds = [derive_seed("fine-tuning", config.seed, data.name, k) for k in range(config.count)]
    of_starts = tuple(seed for start in starts for seed in seeds[: len(start.weights)])
    spec = FineTuneSpec(data.name, of_starts, config.steps, config.learning_rate)
    weights = torch.cat([start.weights for start in starts])
    return data.task.fine_tune(spec, weights, data.sources.device, progress)


def _conventional(data: StructureData) -> tuple[Literal["", "held-out", "reference"], tuple[Checkpoints, ...]]:
    """Conventionally trained runs that nothing learnt from, if there are any."""
    if data.held_out is not None:
        return "held-out", (data.held_out,)
    return ("reference", data.reference_parts) if data.reference_parts else ("", ())


@dataclass(frozen=True)
class _Judged:
    """Primary metric of the M networks before training and at C checkpoints, [C + 1, M], and of the R others."""

    metric: str
    values: Tensor
    conventional: tuple[float, ...]


def _judge(
    data: StructureData,
    config: FineTuningConfig,
    starts: Sequence[Candidates],
    trained: FineTuned,
    conventional: Tensor,
) -> _Judged:
    """One judgement of everything, so that all numbers come of the same protocol and seed."""
    begin = torch.cat([start.weights for start in starts])
    models, points = trained.weights.shape[:2]
    weights = torch.cat([begin, trained.weights.transpose(0, 1).flatten(0, 1), conventional])
    finite = torch.isfinite(weights).all(1)
    seed = derive_seed("judge", config.seed, data.name)
    scores = data.task.score(data.name, weights[finite], seed=seed, device=data.sources.device)
    metric = primary_metric(data.task, scores)
    values = torch.full((len(weights),), math.inf, dtype=torch.float64)
    values[finite] = scores.metric(metric).double().cpu()
    own = models * (points + 1)
    return _Judged(metric, values[:own].view(points + 1, models), tuple(values[own:].tolist()))


def _curves(starts: Sequence[Candidates], trained: FineTuned, values: Tensor) -> tuple[StartCurve, ...]:
    curves, offset = [], 0
    for start in starts:
        own = slice(offset, offset + len(start.weights))
        offset = own.stop
        figures = {name: _rows(figure[own].T) for name, figure in trained.training.items()}
        curves.append(
            StartCurve(
                start=start.method,
                values=_rows(values[:, own]),
                reward=figures.get("reward", ()),
                states_visited=figures.get("states_visited", ()),
                training=start.training,
                generating=start.generating,
                seconds=trained.seconds * len(start.weights) / len(trained.weights),
                notices=start.notices,
            )
        )
    return tuple(curves)


def _rows(values: Tensor) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in values.tolist())
