"""Configuration of the benchmarks of what learns from weights."""

from typing import Literal

from pydantic import Field, model_validator

from zoogen.autoencoders.config import AutoencoderConfig, TrainedAutoencoderBase
from zoogen.benchmarks.base import BenchmarkBase
from zoogen.config import Config
from zoogen.generators.config import GeneratorConfig
from zoogen.tasks.registry import TaskConfig
from zoogen.zoo.plan import ZooConfig

Device = Literal["cpu", "cuda"]


class Recipe(Config):
    """A way from checkpoints to new networks: what is trained how long, and how it samples."""

    autoencoder: AutoencoderConfig
    generator: GeneratorConfig


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
    artifacts: str = "artifacts"
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
        batch: vectors per iteration, instead of the loop's own.
        paper: peak that the paper reports for its GPU, in megabytes.
        target: peak to stay below, in gigabytes.
    """

    name: str
    parameters: int = Field(ge=1)
    autoencoder: AutoencoderConfig
    batch: int = Field(50, ge=1)
    paper: float | None = Field(None, gt=0)
    target: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _has_a_loop(self) -> "MemoryCase":
        if not isinstance(self.autoencoder, TrainedAutoencoderBase):
            raise ValueError(f"autoencoder {self.autoencoder.kind} is not trained in batches")
        return self


class MemoryBenchmark(BenchmarkBase):
    """Peak memory of training autoencoders (p-diff, Table 13), each in a process of its own.

    Attributes:
        checkpoints: synthetic checkpoints to learn from, which are held in memory as they would be.
        iterations: of every training; memory grows no more after the second.
        limit: gigabytes that a process may take; what needs more is reported as that.
        timeout: seconds that a process may take.
    """

    kind: Literal["memory"] = "memory"
    device: Device = "cpu"
    threads: int = Field(1, ge=1)
    checkpoints: int = Field(300, ge=2)
    iterations: int = Field(3, ge=2)
    limit: float = Field(8.0, gt=0)
    timeout: float = Field(1800.0, gt=0)
    cases: tuple[MemoryCase, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_differ(self) -> "MemoryBenchmark":
        names = [case.name for case in self.cases]
        if len(set(names)) < len(names):
            raise ValueError("two cases have the same name")
        return self
