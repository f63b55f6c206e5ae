"""From an artifact to the generator in it, whatever its kind."""

from collections.abc import Mapping
from typing import Any

from zoogen.errors import ZoogenError
from zoogen.generators.latent_weight_generator import LatentWeightGenerator
from zoogen.generators.source.generator import SourceWeightGenerator
from zoogen.generators.weight_generator import FORMAT, KIND, WeightGenerator, restoring
from zoogen.shown import shown
from zoogen.tasks.base import Task
from zoogen.tasks.registry import task_from_mapping
from zoogen.weights.packing import unpack


def read_generator(data: bytes, task: Task | None = None) -> WeightGenerator:
    """The generator of a byte string that a generator's `to_bytes` made, on the CPU.

    Args:
        data: the artifact.
        task: whose networks it makes; None for the one that it names itself.

    Raises:
        DamagedError: damaged data, or data that hold something else.
        ZoogenError: it is of a kind or version that is not known here, or names no task where it needs one.
    """
    tensors, metadata = unpack(KIND, data)
    config = metadata.get("config")
    kind = config.get("kind") if isinstance(config, Mapping) else None
    if metadata.get("format", FORMAT) != FORMAT:
        raise ZoogenError(
            f"the generator is of format {shown(metadata['format'])}, and this version reads {FORMAT}; train it again, "
            "or use the version that made it"
        )
    match kind:
        case "diffusion" | "flow":
            with restoring():
                return LatentWeightGenerator.restored(tensors, metadata)
        case "source":
            task = task or task_of(metadata.get("task_config"))
            with restoring():
                return SourceWeightGenerator.restored(tensors, metadata, task)
        case _:
            raise ZoogenError(f"the generator is of the kind {shown(kind)}, which this version does not know")


def task_of(resolved: Any) -> Task:
    """The task that an artifact names by its configuration.

    Raises:
        ZoogenError: it names none, or one that is not to be had from a file (`task_from_mapping`).
    """
    if not isinstance(resolved, Mapping):
        raise ZoogenError(
            "the generator does not say of which task it is (it was made before generators did); give the study's "
            "CONFIG, or train it again"
        )
    return task_from_mapping(resolved)
