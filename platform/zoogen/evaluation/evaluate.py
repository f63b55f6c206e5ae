"""Judging generated weights beside everything that they have to be compared with."""

from collections.abc import Callable, Mapping

from zoogen.evaluation.config import EvaluationConfig
from zoogen.evaluation.result import Evaluation, Inputs
from zoogen.evaluation.sources import CheckpointSource, Codec, Generator
from zoogen.evaluation.structure import Sources, StructureData
from zoogen.evaluation.structure_evaluation import MethodProgress, assembled, evaluate_structure
from zoogen.tasks.base import Task

EvaluationProgress = Callable[[int, int, str], None]  # (structures judged, structures in all, what comes next)


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
    """Judge all methods on the zoo's structures and on the configuration's further ones, one after the other.

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
    names = sources.structures
    parts = []
    for done, name in enumerate(names):
        parts.append(evaluate_structure(StructureData(sources, name), _within(progress, done, len(names))))
    if progress is not None:
        progress(len(names), len(names), "done")
    given = inputs or Inputs(zoo=zoo.plan.digest, reference=reference.plan.digest if reference else "")
    return assembled(task, config, parts, given, cost, sources.known)


def _within(progress: EvaluationProgress | None, before: int, structures: int) -> MethodProgress | None:
    if progress is None:
        return None
    return lambda done, total, what: progress(before, structures, what) if done < total else None
