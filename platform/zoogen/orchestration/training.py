"""Training of codecs and generators through Ray Train: the same functions, arguments and results as without Ray.

The same call again goes on from the last checkpoint, and returns at once what was finished before (`fit_on_ray`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from zoogen.autoencoders.codec import WeightCodec
from zoogen.autoencoders.config import AutoencoderConfig
from zoogen.autoencoders.train import train_codec
from zoogen.generators.config import LatentGeneratorConfig
from zoogen.generators.latent_weight_generator import LatentWeightGenerator
from zoogen.generators.source.config import SourceConfig
from zoogen.generators.source.train import train_source_generator
from zoogen.generators.stored import read_generator
from zoogen.generators.train import train_generator
from zoogen.generators.weight_generator import WeightGenerator
from zoogen.orchestration.config import TrainConfig
from zoogen.orchestration.fitting import Log, RayRun, fit_on_ray
from zoogen.tasks.base import Task
from zoogen.training.hooks import LoopHooks
from zoogen.weights.target import Target
from zoogen.zoo.read import CheckpointSet

__all__ = ["RayRun", "TrainConfig", "train_codec_on_ray", "train_generator_on_ray", "train_source_generator_on_ray"]


def train_codec_on_ray(
    config: AutoencoderConfig,
    train: Sequence[CheckpointSet],
    validation: Sequence[CheckpointSet] = (),
    *,
    seed: int,
    run: RayRun,
    log: Log | None = None,
    targets: Sequence[Target] = (),
    digest: str = "",
    compile: bool | str = False,
    task: Task | None = None,
) -> WeightCodec:
    """`train_codec` on the workers of `run`; Ray must be connected.

    Raises:
        ZoogenError: as `train_codec`; or the workers failed too often, or do not fit the cluster.
    """
    arguments = (config, _bare(train), _bare(validation))
    keywords = {"seed": seed, "targets": tuple(targets), "digest": digest, "compile": compile, "task": task}
    job = _Job("codec", arguments, keywords)
    return WeightCodec.from_bytes(fit_on_ray(job, run, log))


def train_generator_on_ray(
    config: LatentGeneratorConfig,
    codec: WeightCodec,
    train: Sequence[CheckpointSet],
    *,
    seed: int,
    run: RayRun,
    log: Log | None = None,
    digest: str = "",
    compile: bool | str = False,
    task_config: Mapping[str, Any] | None = None,
) -> LatentWeightGenerator:
    """`train_generator` on the workers of `run`; Ray must be connected.

    Raises:
        ZoogenError: as `train_generator`; or the workers failed too often, or do not fit the cluster.
    """
    keywords = {"seed": seed, "digest": digest, "compile": compile, "task_config": task_config}
    job = _Job("generator", (config, codec, _bare(train)), keywords)
    return LatentWeightGenerator.from_bytes(fit_on_ray(job, run, log))


def train_source_generator_on_ray(
    config: SourceConfig,
    task: Task,
    structures: Sequence[str],
    train: Sequence[CheckpointSet] = (),
    *,
    seed: int,
    run: RayRun,
    log: Log | None = None,
    digest: str = "",
    compile: bool | str = False,
) -> WeightGenerator:
    """`train_source_generator` on the workers of `run`; Ray must be connected.

    Raises:
        ZoogenError: as `train_source_generator`; or the workers failed too often, or do not fit the cluster.
    """
    keywords = {"seed": seed, "digest": digest, "compile": compile}
    job = _Job("source generator", (config, task, tuple(structures), _bare(train)), keywords)
    return read_generator(fit_on_ray(job, run, log), task)


_TRAIN: Mapping[str, Callable[..., Any]] = {
    "codec": train_codec,
    "generator": train_generator,
    "source generator": train_source_generator,
}


@dataclass(frozen=True)
class _Job:
    """What every worker calls."""

    kind: str
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]

    def run(self, device: str, hooks: LoopHooks) -> bytes:
        return _TRAIN[self.kind](*self.arguments, **self.keywords, device=device, hooks=hooks).to_bytes()


def _bare(sets: Sequence[CheckpointSet]) -> list[CheckpointSet]:
    """Without the metrics, which training does not need."""
    return [replace(checkpoints, metrics={}) for checkpoints in sets]
