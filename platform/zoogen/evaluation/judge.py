"""The judgement of one method on one structure."""

import math
import time
from collections.abc import Mapping

import torch
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.evaluation.candidates import Candidates
from zoogen.evaluation.novelty import nearest_distance
from zoogen.evaluation.result import MethodResult, Seconds
from zoogen.evaluation.structure import StructureData
from zoogen.identity import derive_seed
from zoogen.tasks.base import MetricGroup, Scores, Task

NEAREST_TRAIN = "novelty.nearest_train"


def judge(data: StructureData, made: Candidates) -> MethodResult:
    """Score the weights of one method and compare them with the training checkpoints."""
    task, structure = data.task, data.name
    begin = time.perf_counter()
    finite = torch.isfinite(made.weights).all(1)
    notices = made.notices
    if not bool(finite.any()):
        raise ZoogenError(
            f"{made.method} gave no finite weights for structure {structure}; train the models longer or more gently"
        )
    # One seed for all methods of a structure: sampled protocols then differ by the networks alone.
    scores = task.score(
        structure,
        made.weights[finite],
        seed=derive_seed("judge", data.config.seed, structure),
        device=data.sources.device,
    )
    if not bool(finite.all()):
        failed = int((~finite).sum())
        notices += (f"{failed} of {len(finite)} networks have weights that are not finite and count as worst",)
    metrics = {
        name: _spread(values, finite, name in task.primary_metrics).tolist() for name, values in scores.flat().items()
    }
    floors = _floors(scores.groups)
    if data.train is not None and made.method != "training":
        nearest = nearest_distance(made.weights[finite], data.train.weights)
        metrics[NEAREST_TRAIN] = _spread(nearest, finite, False).tolist()
        if data.train_train is not None:
            floors["novelty"] = {"train_train": {"nearest_train": data.train_train}}
    return MethodResult(
        method=made.method,
        structure=structure,
        label=data.target.label,
        known=data.known,
        count=len(made.weights),
        primary=primary_metric(task, scores),
        metrics=metrics,
        floors=floors,
        settings={name: dict(group.settings) for name, group in scores.groups.items() if group.settings},
        seconds=Seconds(training=made.training, generating=made.generating, judging=time.perf_counter() - begin),
        notices=notices + scores.notices,
    )


def primary_metric(task: Task, scores: Scores) -> str:
    """The first of the task's primary metrics that the scores hold.

    Raises:
        ZoogenError: they hold none.
    """
    available = scores.flat()
    for name in task.primary_metrics:
        if name in available:
            return name
    wanted = ", ".join(task.primary_metrics)
    raise ZoogenError(f"structure {scores.structure} has none of the metrics that rank ({wanted}); check the task")


def _spread(values: Tensor, finite: Tensor, ranks: bool) -> Tensor:
    """Values of the finite networks [F] to one per network [K]: inf (ranking metrics) or NaN for the others."""
    spread = torch.full((len(finite),), math.inf if ranks else math.nan, dtype=torch.float64)
    spread[finite] = values.double().cpu()
    return spread


def _floors(groups: Mapping[str, MetricGroup]) -> dict[str, dict[str, dict[str, float]]]:
    return {name: {ref: dict(values) for ref, values in g.floors.items()} for name, g in groups.items() if g.floors}
