"""Pictures of single networks that an evaluation keeps: portraits of their behaviour."""

from collections.abc import Sequence

import torch
from torch import Tensor

from zoogen.evaluation.result import TRUTH, MethodResult, PortraitRecord
from zoogen.tasks.base import Portrait, Task

_DIGITS = 6  # significant digits of a portrait's values in JSON


def median_network(values: Sequence[float]) -> int:
    """Index of the network whose value is the (lower) median."""
    return sorted(range(len(values)), key=lambda index: values[index])[(len(values) - 1) // 2]


def portraits(task: Task, result: MethodResult, weights: Tensor, with_truth: bool) -> list[PortraitRecord]:
    """Pictures of a method's median network, preceded by the truth's if wanted; none where the task has none."""
    values = result.metrics[result.primary]
    index = median_network(values)
    if not bool(torch.isfinite(weights[index]).all()):
        return []
    pictures = task.portraits(result.structure, weights[index])
    if len(pictures) < 2:
        return []
    records = [_portrait(result, result.method, pictures[1], values[index])]
    return [_portrait(result, TRUTH, pictures[0], None), *records] if with_truth else records


def _portrait(result: MethodResult, method: str, picture: Portrait, value: float | None) -> PortraitRecord:
    rows = tuple(tuple(float(f"{v:.{_DIGITS}g}") for v in row) for row in picture.values.tolist())
    return PortraitRecord(
        structure=result.structure,
        label=result.label,
        known=result.known,
        method=method,
        title=picture.title,
        value=value,
        values=rows,
    )
