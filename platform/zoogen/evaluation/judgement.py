"""The judgement of one method on one structure."""

import math
import time
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.evaluation.audit import Audit
from zoogen.evaluation.candidates import Candidates
from zoogen.evaluation.result import MethodResult, Seconds, Selection
from zoogen.evaluation.structure import StructureData
from zoogen.evaluation.tensor_statistics import tensor_statistics
from zoogen.identity import derive_seed
from zoogen.tasks.base import Task
from zoogen.tasks.records import MetricGroup, Scores

NOVELTY = "novelty"  # the protocol of the distances to training checkpoints


def judge(data: StructureData, made: Candidates, audit: Audit) -> MethodResult:
    """Score the weights of one method and compare them with the training checkpoints.

    Raises:
        ZoogenError: not one network is finite, or the task cannot rank them.
    """
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
    ranking = (*task.primary_metrics, *task.selection_metrics)
    metrics = {name: _spread(values, finite, name in ranking).tolist() for name, values in scores.flat().items()}
    primary = primary_metric(task, scores)
    judged = time.perf_counter()
    audited = audit.of(made.method, made.weights[finite], None if made.rows is None else made.rows[finite])
    metrics |= {f"{NOVELTY}.{name}": _spread(d, finite, False).tolist() for name, d in audited.distances.items()}
    floors = _floors(scores.groups)
    if audited.distances and audit.between_runs:
        floors[NOVELTY] = {"train_train": audit.between_runs}
    return MethodResult(
        method=made.method,
        structure=structure,
        label=data.target.label,
        known=data.known,
        count=len(made.weights),
        primary=primary,
        metrics=metrics,
        floors=floors,
        settings={name: dict(group.settings) for name, group in scores.groups.items() if group.settings},
        figures=dict(audited.figures),
        tensors=tensor_statistics(data.target.layout, made.weights[finite]),
        selection=choose(task.selection_metrics, metrics, primary),
        seconds=Seconds(
            training=made.training,
            generating=made.generating,
            judging=judged - begin,
            auditing=time.perf_counter() - judged,
        ),
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


def choose(by: Sequence[str], metrics: Mapping[str, Sequence[float]], primary: str) -> Selection | None:
    """The network with the smallest value of the first metric of `by` that was measured, told by the primary metric.

    The network is chosen without looking at what is reported of it wherever the two metrics come from different data;
    `MethodResult.best` is what choosing by the reported metric itself would give. None where nothing can choose.
    """
    for name in by:
        values = metrics.get(name, ())
        ordered = [index for index, value in enumerate(values) if not math.isnan(value)]
        if ordered:
            index = min(ordered, key=lambda index: values[index])
            return Selection(index=index, by=name, chosen=values[index], value=metrics[primary][index])
    return None


def _spread(values: Tensor, finite: Tensor, ranks: bool) -> Tensor:
    """Values of the finite networks [F] to one per network [K]: inf (ranking metrics) or NaN for the others."""
    spread = torch.full((len(finite),), math.inf if ranks else math.nan, dtype=torch.float64)
    spread[finite] = values.double().cpu()
    return spread


def _floors(groups: Mapping[str, MetricGroup]) -> dict[str, dict[str, dict[str, float]]]:
    return {name: {ref: dict(values) for ref, values in g.floors.items()} for name, g in groups.items() if g.floors}
