"""Judging generated weights beside everything that they have to be compared with."""

import math
import time
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.evaluation.candidates import Candidates, StructureCandidates
from zoogen.evaluation.config import EvaluationConfig
from zoogen.evaluation.environment import describe_environment
from zoogen.evaluation.novelty import nearest_distance
from zoogen.evaluation.result import Evaluation, Inputs, MethodResult, PortraitRecord, Seconds
from zoogen.evaluation.sources import CheckpointSource, Codec, Generator
from zoogen.identity import derive_seed
from zoogen.tasks.base import MetricGroup, Portrait, Scores, Task

EvaluationProgress = Callable[[int, int, str], None]  # (methods judged, methods in all, what comes next)

NEAREST_TRAIN = "novelty.nearest_train"
TRUTH = "truth"
_PORTRAIT_DIGITS = 6  # significant digits of a picture's values in JSON


def evaluate(
    task: Task,
    zoo: CheckpointSource,
    generator: Generator | None,
    config: EvaluationConfig,
    *,
    codec: Codec | None = None,
    reference: CheckpointSource | None = None,
    inputs: Inputs | None = None,
    cost: Mapping[str, float] | None = None,
    last_checkpoints: int | None = None,
    device: str = "cpu",
    progress: EvaluationProgress | None = None,
) -> Evaluation:
    """Judge all methods on the zoo's structures and on the configuration's further ones.

    Args:
        task: the contract by which weights are judged.
        zoo: training and held-out runs of the known structures.
        generator: makes weights; None judges the baselines alone.
        codec: the generator's autoencoder, for the reconstruction of held-out runs.
        reference: a zoo of conventionally trained runs of unseen structures.
        inputs: digests of what is judged, to be named in the result.
        cost: seconds of earlier stages, to be named beside those measured here.
        last_checkpoints: compare with the last so many checkpoints of each run, as the generator learnt from;
            None for all.
        device: where networks are generated and judged.
        progress: told before each method and at the end.

    Raises:
        ZoogenError: a structure is unknown to the task, or the zoo lacks rows.
    """
    known = [task.canonical(structure) for structure in zoo.plan.structures]
    unseen = [name for name in dict.fromkeys(map(task.canonical, config.structures)) if name not in known]
    trained = [task.canonical(structure) for structure in reference.plan.structures] if reference else []
    plans = [
        StructureCandidates(
            task,
            name,
            config,
            zoo=zoo if name in known else None,
            reference=reference if name in trained and name not in known else None,
            generator=generator,
            codec=codec,
            device=device,
            last=last_checkpoints,
        )
        for name in (*known, *unseen)
    ]
    work = [(plan, candidate) for plan in plans for candidate in plan]
    results: list[MethodResult] = []
    portraits: list[PortraitRecord] = []
    for done, (plan, candidate) in enumerate(work):
        if progress is not None:
            progress(done, len(work), f"{plan.target.label} {candidate.method}")
        made = candidate.make()
        result = _judge(task, plan, made, config, device)
        results.append(result)
        if made.method in config.portraits:
            first = not any(p.structure == result.structure for p in portraits)
            portraits.extend(_portraits(task, result, made.weights, first))
    if progress is not None:
        progress(len(work), len(work), "done")
    measured = {
        "generating": sum(r.seconds.generating or 0.0 for r in results if r.method == "generated"),
        "judging": sum(r.seconds.judging for r in results),
    }
    return Evaluation(
        inputs=inputs or Inputs(zoo=zoo.plan.digest, reference=reference.plan.digest if reference else ""),
        task=task.resolved(),
        primary_metrics=task.primary_metrics,
        config=config,
        results=tuple(results),
        portraits=tuple(portraits),
        cost={**(cost or {}), **measured},
        notices=_left_out(plans, config),
        environment=describe_environment(device),
    )


def _judge(
    task: Task, plan: StructureCandidates, made: Candidates, config: EvaluationConfig, device: str
) -> MethodResult:
    """Score the weights of one method and compare them with the training checkpoints."""
    structure = plan.target.structure
    begin = time.perf_counter()
    finite = torch.isfinite(made.weights).all(1)
    notices = made.notices
    if not bool(finite.any()):
        raise ZoogenError(
            f"{made.method} gave no finite weights for structure {structure}; train the models longer or more gently"
        )
    # One seed for all methods of a structure: sampled protocols then differ by the networks alone.
    scores = task.score(
        structure, made.weights[finite], seed=derive_seed("judge", config.seed, structure), device=device
    )
    if not bool(finite.all()):
        failed = int((~finite).sum())
        notices += (f"{failed} of {len(finite)} networks have weights that are not finite and count as worst",)
    metrics = {
        name: _spread(values, finite, name in task.primary_metrics).tolist() for name, values in scores.flat().items()
    }
    floors = _floors(scores.groups)
    if plan.train is not None and made.method != "training":
        nearest = nearest_distance(made.weights[finite], plan.train.weights)
        metrics[NEAREST_TRAIN] = _spread(nearest, finite, False).tolist()
        if plan.train_train is not None:
            floors["novelty"] = {"train_train": {"nearest_train": plan.train_train}}
    return MethodResult(
        method=made.method,
        structure=structure,
        label=plan.target.label,
        known=plan.known,
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


def median_network(values: Sequence[float]) -> int:
    """Index of the network whose value is the (lower) median."""
    return sorted(range(len(values)), key=lambda index: values[index])[(len(values) - 1) // 2]


def _portraits(task: Task, result: MethodResult, weights: Tensor, with_truth: bool) -> list[PortraitRecord]:
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
    rows = tuple(tuple(float(f"{v:.{_PORTRAIT_DIGITS}g}") for v in row) for row in picture.values.tolist())
    return PortraitRecord(
        structure=result.structure,
        label=result.label,
        known=result.known,
        method=method,
        title=picture.title,
        value=value,
        values=rows,
    )


def _left_out(plans: Sequence[StructureCandidates], config: EvaluationConfig) -> tuple[str, ...]:
    """Why baselines of known structures are missing."""
    notices = []
    for plan in plans:
        label = plan.target.label
        if plan.known and plan.held_out is None:
            notices.append(f"{label}: the zoo has no test runs, so nothing is compared with held-out runs")
        if plan.train is not None and "average" in config.methods:
            missing = [k for k in config.average_k if k > len(plan.train.runs)]
            if missing:
                have = len(plan.train.runs)
                notices.append(f"{label}: {have} training checkpoints, too few for averages of {missing}")
    return tuple(notices)
