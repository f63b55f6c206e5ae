"""One structure's evaluation: the unit that is stored, resumed and handed to workers, and its assembly to a whole."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from zoogen.evaluation.audit import Audit
from zoogen.evaluation.config import EvaluationConfig
from zoogen.evaluation.equivalence import BUDGET, budget_of, equivalent_iterations
from zoogen.evaluation.judgement import judge
from zoogen.evaluation.machine import describe_environment
from zoogen.evaluation.methods import candidates_of
from zoogen.evaluation.pictures import portraits, weight_maps
from zoogen.evaluation.records import Record, TrajectoryRecord
from zoogen.evaluation.result import (
    CONVENTIONAL,
    Environment,
    Evaluation,
    Inputs,
    MethodResult,
    PortraitRecord,
    WeightMapRecord,
)
from zoogen.evaluation.sources import TracedGenerator
from zoogen.evaluation.structure import StructureData
from zoogen.evaluation.trajectories import trajectories
from zoogen.tasks.base import Task

MethodProgress = Callable[[int, int, str], None]  # (methods judged, methods in all, what comes next)


class StructureEvaluation(Record):
    """All methods on one structure; no other structure of an evaluation changes it.

    Attributes:
        learnt: training checkpoints that the models learnt from; 0 on an unseen structure.
        cost: wall-clock seconds beside those of the results, for example `alignment`.
        environment: where and when it was judged.
    """

    structure: str
    label: str
    results: tuple[MethodResult, ...]
    portraits: tuple[PortraitRecord, ...] = ()
    weight_maps: tuple[WeightMapRecord, ...] = ()
    trajectories: tuple[TrajectoryRecord, ...] = ()
    learnt: int = 0
    cost: dict[str, float] = {}
    notices: tuple[str, ...] = ()
    environment: Environment


def evaluate_structure(data: StructureData, progress: MethodProgress | None = None) -> StructureEvaluation:
    """Make, judge and drop the networks of one method after the other, so that those of one alone are held.

    Args:
        data: the structure.
        progress: told before each method and at the end.

    Raises:
        ZoogenError: a method gave no finite weights, the task cannot rank them, or the zoo lacks rows.
    """
    candidates, audit = list(candidates_of(data)), Audit(data)
    results: list[MethodResult] = []
    shown: list[PortraitRecord] = []
    drawn: list[WeightMapRecord] = []
    for done, candidate in enumerate(candidates):
        if progress is not None:
            progress(done, len(candidates), f"{data.target.label} {candidate.method}")
        made = candidate.make()
        result = judge(data, made, audit)
        results.append(result)
        drawn.extend(weight_maps(data, made, data.sources.mapped))
        if made.method in data.config.portraits:
            shown.extend(portraits(data.task, result, made.weights, not shown, data.sources.device))
        del made  # before the next one is made
    followed = trajectories(data) if data.name in data.sources.followed else []
    if progress is not None:
        progress(len(candidates), len(candidates), f"{data.target.label} done")
    return StructureEvaluation(
        structure=data.name,
        label=data.target.label,
        results=_with_equivalents(data, results),
        portraits=tuple(shown),
        weight_maps=tuple(drawn),
        trajectories=tuple(followed),
        learnt=0 if data.train is None else len(data.train.runs),
        notices=(*_left_out(data), *_not_followed(data)),
        environment=describe_environment(data.sources.device),
    )


def _with_equivalents(data: StructureData, results: Sequence[MethodResult]) -> tuple[MethodResult, ...]:
    """The results with the iterations of conventional training that they are worth, where budgets were trained."""
    if all(budget_of(result.method) is None for result in results):
        return tuple(results)
    whole = next((r.method for name in CONVENTIONAL for r in results if r.method == name), "")
    told = [r.model_copy(update={"iterations": _iterations(data, r.method, whole)}) for r in results]
    trained = [(r.iterations, r.summary().median) for r in told if r.iterations is not None]
    worth = (equivalent_iterations(r.summary().median, trained) for r in told)
    return tuple(r.model_copy(update={"equivalent": found}) for r, found in zip(told, worth, strict=True))


def _iterations(data: StructureData, method: str, whole: str) -> int | None:
    """Iterations of a whole training: a budget's, or those of the zoo's runs for the method `whole`, their ends."""
    if method != whole:
        return budget_of(method)
    parts = [part for part in (data.held_out, *data.reference_parts) if part is not None]
    return max(int(part.steps.max()) for part in parts)


def assembled(
    task: Task,
    config: EvaluationConfig,
    parts: Sequence[StructureEvaluation],
    inputs: Inputs,
    cost: Mapping[str, float] | None = None,
    taught: Sequence[str] = (),
) -> Evaluation:
    """The evaluation of all structures, from the parts in their order.

    The environment is that of the part which was judged last; a notice tells if the parts differ in more than the time.

    Args:
        cost: seconds of earlier stages, to be named beside those measured in the parts.
        taught: structures that were learnt from, judged or not.
    """
    results = [result for part in parts for result in part.results]
    names = [part.structure for part in parts]
    stages = dict.fromkeys(stage for part in parts for stage in part.cost)
    measured = {stage: sum(part.cost.get(stage, 0.0) for part in parts) for stage in stages}
    measured |= {
        "generating": sum(r.seconds.generating or 0.0 for r in results if r.method == "generated"),
        **_conventional_seconds(results),
        "judging": sum(r.seconds.judging for r in results),
        "auditing": sum(r.seconds.auditing for r in results),
    }
    notices = dict.fromkeys(notice for part in parts for notice in part.notices)
    return Evaluation(
        inputs=inputs,
        task=task.resolved(),
        primary_metrics=task.primary_metrics,
        config=config,
        results=tuple(results),
        portraits=tuple(item for part in parts for item in part.portraits),
        weight_maps=tuple(item for part in parts for item in part.weight_maps),
        trajectories=tuple(item for part in parts for item in part.trajectories),
        cost={**(cost or {}), **measured},
        axes={name: dict(axes) for name in dict.fromkeys((*taught, *names)) if (axes := task.axes(name))},
        notices=(*notices, *_mixed(parts)),
        environment=max((part.environment for part in parts), key=lambda found: datetime.fromisoformat(found.date)),
    )


def _conventional_seconds(results: Sequence[MethodResult]) -> dict[str, float]:
    """Seconds of all that was trained for the evaluation itself; nothing where nothing was."""
    trained = [r.count * (r.seconds.training or 0.0) for r in results if r.method.startswith(BUDGET)]
    return {"conventional": sum(trained)} if trained else {}


def _mixed(parts: Sequence[StructureEvaluation]) -> tuple[str, ...]:
    """A notice if structures were judged on unlike machines or by unlike versions, where last digits may differ."""
    places = {(tuple(e.versions.items()), tuple(e.hardware.items())) for e in (part.environment for part in parts)}
    if len(places) < 2:
        return ()
    return (f"structures were judged in {len(places)} environments (machines, threads or versions of packages)",)


def _left_out(data: StructureData) -> tuple[str, ...]:
    """Why baselines of a known structure are missing."""
    notices = []
    label, config = data.target.label, data.config
    if "conventional" in data.sources.families(data.name) and data.task.with_iterations(1) is None:
        notices.append(f"the task {data.task.name} has no training of a given length, so conventional is left out")
    if data.known and data.held_out is None:
        notices.append(f"{label}: the zoo has no test runs, so nothing is compared with held-out runs")
    if data.train is not None and "average" in config.methods:
        missing = [k for k in config.average_k if k > len(data.train.runs)]
        if missing:
            have = len(data.train.runs)
            notices.append(f"{label}: {have} training checkpoints, too few for averages of {missing}")
    return tuple(notices)


def _not_followed(data: StructureData) -> tuple[str, ...]:
    if data.name not in data.sources.followed or isinstance(data.sources.generator, TracedGenerator):
        return ()
    return ("this generator does not show its denoising steps, so evaluation.trajectories has no effect",)
