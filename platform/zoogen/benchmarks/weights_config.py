"""Configuration of the benchmarks of what learns from weights."""

from typing import Literal

from pydantic import Field, model_validator

from zoogen.autoencoders.config import AutoencoderConfig, TrainedAutoencoderBase
from zoogen.benchmarks.base import BenchmarkBase
from zoogen.config import Config
from zoogen.generators.config import DiffusionConfig
from zoogen.tasks.config import TaskConfig
from zoogen.zoo.config import ZooConfig
from zoogen.zoo.roots import ArtifactRoot

Device = Literal["cpu", "cuda"]


class Recipe(Config):
    """A way from checkpoints to new networks: what is trained how long, and how it samples."""

    autoencoder: AutoencoderConfig
    generator: DiffusionConfig


class RecipeBenchmark(BenchmarkBase):
    """Our recipe against the paper's on one zoo: seconds of every stage, and the networks that come out.

    Stages that are done lie under the artifact root and are not repeated, so that a run of hours can be interrupted.

    Attributes:
        artifacts: artifact root, of the zoo too.
        zoo: one structure.
        last_checkpoints: learn from the last so many checkpoints of each run; null: all.
        count: networks to generate.
        threads: of torch in every stage.
        target: seconds of the paper's recipe by ours.
    """

    kind: Literal["recipe"] = "recipe"
    artifacts: ArtifactRoot = "artifacts"
    device: Device = "cpu"
    threads: int = Field(1, ge=1)
    task: TaskConfig
    zoo: ZooConfig
    last_checkpoints: int | None = Field(None, ge=1)
    count: int = Field(200, ge=1)
    ours: Recipe
    paper: Recipe
    target: float = 20.0

    @model_validator(mode="after")
    def _one_structure(self) -> "RecipeBenchmark":
        if len(self.zoo.structures) != 1:
            raise ValueError(f"zoo.structures names {len(self.zoo.structures)} structures; the recipes learn one")
        return self


class MemoryCase(Config):
    """One training of an autoencoder on vectors of one length.

    Attributes:
        name: for the table.
        parameters: length of the vectors.
        checkpoints: how many, instead of the benchmark's own.
        batch: checkpoints per iteration, instead of the loop's own.
        iterations: instead of the loop's own; memory grows no more after the second.
        paper: peak that the paper reports for its GPU, in megabytes.
        target: peak to stay below, in gigabytes.
    """

    name: str
    parameters: int = Field(ge=1)
    checkpoints: int | None = Field(None, ge=2)
    autoencoder: AutoencoderConfig
    batch: int | None = Field(None, ge=1)
    iterations: int | None = Field(None, ge=2)
    paper: float | None = Field(None, gt=0)
    target: float | None = Field(None, gt=0)

    @property
    def measured(self) -> AutoencoderConfig:
        """The autoencoder with the case's own batch and iterations."""
        config = self.autoencoder
        if not isinstance(config, TrainedAutoencoderBase):
            return config
        changes: dict[str, object] = {} if self.batch is None else {"batch_size": self.batch}
        if self.iterations is not None:
            schedule = config.loop.schedule.model_copy(update={"warmup": 0})
            changes |= {"iterations": self.iterations, "schedule": schedule, "log_every": 1}
        return config.model_copy(update={"loop": config.loop.model_copy(update=changes)})

    @model_validator(mode="after")
    def _has_a_loop(self) -> "MemoryCase":
        looped = isinstance(self.autoencoder, TrainedAutoencoderBase)
        if not looped and (self.batch is not None or self.iterations is not None):
            raise ValueError(
                f"autoencoder {self.autoencoder.kind} is fitted at once: it has no batch and no iterations"
            )
        return self


class MemoryBenchmark(BenchmarkBase):
    """Peak memory of training autoencoders (p-diff, Table 13), each in a process of its own.

    Attributes:
        checkpoints: synthetic checkpoints to learn from, which are held in memory as they would be.
        limit: gigabytes that a process may take; what needs more is reported as that.
    """

    kind: Literal["memory"] = "memory"
    device: Device = "cpu"
    threads: int = Field(1, ge=1)
    checkpoints: int = Field(300, ge=2)
    limit: float = Field(8.0, gt=0)
    cases: tuple[MemoryCase, ...] = Field(min_length=1)
