"""Pictures of single networks that an evaluation keeps: portraits of their behaviour, and weight matrices."""

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from zoogen.evaluation.candidates import Candidates
from zoogen.evaluation.config import TRUTH
from zoogen.evaluation.result import MethodResult, PortraitRecord, WeightMapRecord
from zoogen.evaluation.structure import StructureData
from zoogen.tasks.base import Task
from zoogen.tasks.records import Portrait

_DIGITS = 6  # significant digits of a portrait's values in JSON
_MAP_DIGITS = 4  # the same of a weight matrix
_MOST_MAPS = 16  # matrices of one network: deep ones have hundreds, which no figure can show


def median_network(values: Sequence[float]) -> int:
    """Index of the network whose value is the (lower) median."""
    return sorted(range(len(values)), key=lambda index: values[index])[(len(values) - 1) // 2]


def portraits(
    task: Task, result: MethodResult, weights: Tensor, with_truth: bool, device: str = "cpu"
) -> list[PortraitRecord]:
    """Pictures of a method's median network, preceded by the truth's if wanted; none where the task has none."""
    values = result.metrics[result.primary]
    index = median_network(values)
    if not bool(torch.isfinite(weights[index]).all()):
        return []
    pictures = task.portraits(result.structure, weights[index], device)
    if len(pictures) < 2:
        return []
    records = [_portrait(result, result.method, pictures[1], values[index])]
    return [_portrait(result, TRUTH, pictures[0], None), *records] if with_truth else records


def _portrait(result: MethodResult, method: str, picture: Portrait, value: float | None) -> PortraitRecord:
    return PortraitRecord(
        structure=result.structure,
        label=result.label,
        known=result.known,
        method=method,
        title=picture.title,
        value=value,
        values=_rounded(picture.values.tolist(), _DIGITS),
    )


def weight_maps(data: StructureData, made: Candidates, structures: Collection[str]) -> list[WeightMapRecord]:
    """Weight matrices of the first generated networks and of one conventionally trained one.

    Args:
        data: the structure; nothing is kept unless it is among `structures`.
        made: the networks of a method; nothing is kept of other methods.
        structures: canonical names.
    """
    config = data.config.weight_maps
    trained = "held-out" if data.known else "reference"
    count = {"generated": config.networks, trained: min(1, config.networks)}.get(made.method, 0)
    if data.name not in structures:
        return []
    records = []
    for network, weights in enumerate(made.weights[:count]):
        tensors = data.target.layout.unflatten(weights)
        fitting = [name for name, t in tensors.items() if t.ndim >= 2 and t.numel() <= config.largest]
        for name in fitting[:_MOST_MAPS]:
            records.append(
                WeightMapRecord(
                    structure=data.name,
                    label=data.target.label,
                    method=made.method,
                    network=network,
                    tensor=name,
                    values=_rounded(tensors[name].flatten(1).tolist(), _MAP_DIGITS),
                )
            )
    return records


def _rounded(rows: Sequence[Sequence[float]], digits: int) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(f"{value:.{digits}g}") for value in row) for row in rows)
