"""Quality of networks on their way from noise through the denoising steps (p-diff §4, Figure 5b)."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from zoogen.evaluation.judgement import primary_metric
from zoogen.evaluation.records import TrajectoryRecord
from zoogen.evaluation.sources import TracedGenerator
from zoogen.evaluation.structure import StructureData
from zoogen.identity import derive_seed


def trajectories(data: StructureData) -> list[TrajectoryRecord]:
    """Follow networks of a structure; none where it is not configured or the generator does not show its steps."""
    config, generator = data.config.trajectories, data.sources.generator
    if config is None or not isinstance(generator, TracedGenerator):
        return []
    seed = data.seed("trajectories")
    path = generator.trajectory(data.target, config.networks, seed, config.points, data.sources.device)
    return _of_structure(data, [(step, weights.cpu()) for step, weights in path])


def _of_structure(data: StructureData, path: Sequence[tuple[int, Tensor]]) -> list[TrajectoryRecord]:
    judged = [_judged(data, weights) for _, weights in path]
    metric = next((name for name, _ in judged if name), "")
    columns = list(zip(*(values for _, values in judged), strict=True))
    return [
        TrajectoryRecord(
            structure=data.name,
            label=data.target.label,
            network=network,
            metric=metric,
            steps=tuple(step for step, _ in path),
            values=values,
        )
        for network, values in enumerate(columns if metric else [])
    ]


def _judged(data: StructureData, weights: Tensor) -> tuple[str, tuple[float, ...]]:
    """The primary metric and its value for each of the networks [K, D]; no metric where none is finite."""
    values = torch.full((len(weights),), math.inf, dtype=torch.float64)
    finite = torch.isfinite(weights).all(1)
    if not bool(finite.any()):
        return "", tuple(values.tolist())
    seed = derive_seed("judge", data.config.seed, data.name)
    scores = data.task.score(data.name, weights[finite], seed=seed, device=data.sources.device)
    metric = primary_metric(data.task, scores)
    values[finite] = torch.nan_to_num(scores.metric(metric).double().cpu(), nan=math.inf)
    return metric, tuple(values.tolist())
