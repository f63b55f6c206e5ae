"""Judging generated weights beside everything that they have to be compared with."""

from collections.abc import Callable, Mapping, Sequence

from zoogen.errors import ZoogenError
from zoogen.evaluation.audit import Audit
from zoogen.evaluation.config import EvaluationConfig
from zoogen.evaluation.judgement import judge
from zoogen.evaluation.machine import describe_environment
from zoogen.evaluation.methods import candidates_of
from zoogen.evaluation.pictures import portraits, weight_maps
from zoogen.evaluation.result import Evaluation, Inputs, MethodResult, PortraitRecord, WeightMapRecord
from zoogen.evaluation.sources import CheckpointSource, Codec, Generator, TracedGenerator
from zoogen.evaluation.structure import Sources, StructureData
from zoogen.evaluation.trajectories import trajectories
from zoogen.tasks.base import Task

EvaluationProgress = Callable[[int, int, str], None]  # (methods judged, methods in all, what comes next)


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
    device: str = "cpu",
    progress: EvaluationProgress | None = None,
) -> Evaluation:
    """Judge all methods on the zoo's structures and on the configuration's further ones.

    Args:
        task: the contract by which weights are judged.
        zoo: held-out runs of the known structures, and the training checkpoints that the generator learnt from.
        generator: makes weights; None judges the baselines alone.
        codec: the generator's autoencoder, for the methods that decode latents of their own.
        reference: a zoo of conventionally trained runs of unseen structures.
        inputs: digests of what is judged, to be named in the result.
        cost: seconds of earlier stages, to be named beside those measured here.
        device: where networks are generated and judged.
        progress: told before each method and at the end.

    Raises:
        ZoogenError: a structure is unknown to the task, the zoo lacks rows, or weight maps or trajectories are wanted
            of a structure that is not evaluated.
    """
    sources = Sources(task, config, zoo, generator, codec, reference, device)
    structures = [StructureData(sources, name) for name in (*sources.known, *sources.unseen)]
    work = [(data, candidate) for data in structures for candidate in candidates_of(data)]
    mapped = _wanted(sources, "weight_maps", config.weight_maps.structures)
    followed = _wanted(sources, "trajectories", config.trajectories.structures) if config.trajectories else ()
    results: list[MethodResult] = []
    shown: list[PortraitRecord] = []
    drawn: list[WeightMapRecord] = []
    audit = None
    for done, (data, candidate) in enumerate(work):
        if progress is not None:
            progress(done, len(work), f"{data.target.label} {candidate.method}")
        made = candidate.make()
        if audit is None or audit.data is not data:
            audit = Audit(data)  # the structures come one after the other, so only one is held in memory
        result = judge(data, made, audit)
        results.append(result)
        drawn.extend(weight_maps(data, made, mapped))
        if made.method in config.portraits:
            first = not any(p.structure == result.structure for p in shown)
            shown.extend(portraits(task, result, made.weights, first, device))
    if progress is not None:
        progress(len(work), len(work), "done")
    measured = {
        "generating": sum(r.seconds.generating or 0.0 for r in results if r.method == "generated"),
        "judging": sum(r.seconds.judging for r in results),
        "auditing": sum(r.seconds.auditing for r in results),
    }
    return Evaluation(
        inputs=inputs or Inputs(zoo=zoo.plan.digest, reference=reference.plan.digest if reference else ""),
        task=task.resolved(),
        primary_metrics=task.primary_metrics,
        config=config,
        results=tuple(results),
        portraits=tuple(shown),
        weight_maps=tuple(drawn),
        trajectories=tuple(t for data in structures if data.name in followed for t in trajectories(data)),
        cost={**(cost or {}), **measured},
        notices=(*_left_out(structures), *_not_followed(sources)),
        environment=describe_environment(device),
    )


def _wanted(sources: Sources, section: str, structures: Sequence[str]) -> tuple[str, ...]:
    """Canonical names of the structures that a section of the configuration asks for, the first known one by default.

    Raises:
        ZoogenError: one of them is not evaluated.
    """
    wanted = tuple(map(sources.task.canonical, structures)) or sources.known[:1]
    for name in wanted:
        if name not in sources.known and name not in sources.unseen:
            raise ZoogenError(
                f"evaluation.{section}.structures names {name}, which is not evaluated; take a structure of the zoo "
                "or of evaluation.structures"
            )
    return wanted


def _left_out(structures: Sequence[StructureData]) -> tuple[str, ...]:
    """Why baselines of known structures are missing."""
    notices = []
    for data in structures:
        label, config = data.target.label, data.config
        if data.known and data.held_out is None:
            notices.append(f"{label}: the zoo has no test runs, so nothing is compared with held-out runs")
        if data.train is not None and "average" in config.methods:
            missing = [k for k in config.average_k if k > len(data.train.runs)]
            if missing:
                have = len(data.train.runs)
                notices.append(f"{label}: {have} training checkpoints, too few for averages of {missing}")
    return tuple(notices)


def _not_followed(sources: Sources) -> tuple[str, ...]:
    if sources.config.trajectories is None or isinstance(sources.generator, TracedGenerator):
        return ()
    return ("this generator does not show its denoising steps, so evaluation.trajectories has no effect",)
