"""Configuration of the benchmarks of image classifiers: how fast they are trained and judged."""

from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from zoogen.benchmarks.base import BenchmarkBase
from zoogen.config import Config
from zoogen.tasks.images.config import ImagesConfig, PhaseConfig, TrainingMode


class ClassifiersBenchmark(BenchmarkBase):
    """Training of whole networks: in one batched pass, by one-thread workers, one by one, and by a plain loop.

    Attributes:
        task: its collection phase says how; start, subset, mode and number of steps are the benchmark's own.
        models: networks that are trained in every turn.
        iterations: gradient steps of every network in every turn.
        workers: processes of one thread each.
        rounds: the ways take turns so often; medians count.
    """

    kind: Literal["classifiers"] = "classifiers"
    task: ImagesConfig = ImagesConfig()
    structures: tuple[str, ...] = Field(("mlp-mini@digits", "cnn-small@digits"), min_length=1)
    models: PositiveInt = 16
    iterations: PositiveInt = 60
    workers: PositiveInt = 2
    rounds: PositiveInt = 3

    def task_of(self, mode: TrainingMode) -> ImagesConfig:
        """Every network from its own initial weights, one checkpoint at the end."""
        collection = self.task.collection.model_copy(update={"iterations": self.iterations, "every": self.iterations})
        training = self.task.training.model_copy(update={"iterations": 0})
        update = {"start": "scratch", "pretrained": False, "subset": ("*",), "mode": mode}
        return self.task.model_copy(update={**update, "training": training, "collection": collection})


class JudgingCase(Config):
    """Networks of one structure of which a subset differs."""

    structure: str
    subset: tuple[str, ...] = ("*",)


class JudgingBenchmark(BenchmarkBase):
    """Error and loss of many networks: as the task judges them, and by a loop over `load_state_dict`.

    Attributes:
        task: its subset is each case's own; the trunks that networks lie around need no training to be judged.
        networks: judged in every turn.
        noise: their distance from the trunk, as a share of the standard deviation of each tensor.
        rounds: both take turns so often; medians count.
    """

    kind: Literal["judging"] = "judging"
    task: ImagesConfig = ImagesConfig(training=PhaseConfig(iterations=0))
    cases: tuple[JudgingCase, ...] = Field((JudgingCase(structure="cnn-small@digits"),), min_length=1)
    networks: PositiveInt = 200
    noise: float = Field(0.1, ge=0)
    rounds: PositiveInt = 3

    @model_validator(mode="after")
    def _one_loop(self) -> "JudgingBenchmark":
        if self.task.statistics == "recalibrated":
            raise ValueError("the plain loop takes no statistics anew; set task.statistics to kept or regenerated")
        return self

    def task_of(self, case: JudgingCase) -> ImagesConfig:
        return self.task.model_copy(update={"subset": case.subset})
