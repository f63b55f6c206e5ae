"""Configuration of the hypergrid task."""

import math
from typing import Literal

from pydantic import Field, field_validator, model_validator

from zoogen.config import LARGEST, Config
from zoogen.schedules import last_steps
from zoogen.tasks.hypergrid.environment_config import RewardConfig, StopRule
from zoogen.tasks.hypergrid.learner_config import ObjectiveConfig, TrajectoryBalanceConfig
from zoogen.tasks.hypergrid.optimiser_config import OptimiserConfig
from zoogen.tasks.hypergrid.structure import HypergridStructure


class StructureTraining(Config):
    """What may differ between structures; a value left out is that of `training`."""

    iterations: int | None = Field(default=None, ge=1)
    batch_size: int | None = Field(default=None, ge=1)
    # left out where it says nothing: zoos named before the key existed keep their digests
    checkpoints: int | None = Field(default=None, ge=1, exclude_if=lambda value: value is None)


class IterationsBySize(Config):
    """Iterations that follow a grid's number of states: `training.iterations` · (states / at)^power.

    Attributes:
        at: states of a grid that is trained for just `training.iterations`.
        power: how iterations grow with the states.
        least, most: bounds of what comes out; null: no upper one.
    """

    at: float = Field(gt=0)
    power: float = Field(default=0.5, gt=0, le=2)
    least: int = Field(default=1, ge=1)
    most: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _bounds(self) -> "IterationsBySize":
        if self.most is not None and self.most < self.least:
            raise ValueError(f"most ({self.most}) must not be below least ({self.least})")
        return self

    def iterations(self, base: int, structure: HypergridStructure) -> int:
        """Iterations of a structure, from those of a grid of `at` states."""
        # in logarithms, since a grid may have more states than numbers of 64 bits count
        logarithm = math.log(base) + self.power * (structure.log_states - math.log(self.at))
        most = LARGEST if self.most is None else self.most
        scaled = round(math.exp(logarithm)) if logarithm < math.log(LARGEST) else LARGEST
        return max(self.least, min(most, scaled))


class PolicyTrainingConfig(Config):
    """How policies are trained.

    Attributes:
        iterations: gradient steps.
        batch_size: trajectories per step and policy.
        epsilon, final_epsilon: chance of a uniform action, from the first to the last iteration (linear).
        checkpoints: saved per run, evenly spaced over the last `window` of the training.
        window: share of the iterations that the checkpoints spread over; the last one is the end.
        by_size: iterations that follow the number of states; null: the same for all structures.
        by_structure: other iterations, batch size or checkpoints for single structures (any spelling); they come
            before `by_size`.
    """

    objective: ObjectiveConfig = TrajectoryBalanceConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    iterations: int = Field(default=10_000, ge=1)
    batch_size: int = Field(default=16, ge=1)
    epsilon: float = Field(default=0.0, ge=0, le=1)
    final_epsilon: float = Field(default=0.0, ge=0, le=1)
    checkpoints: int = Field(default=1, ge=1)
    window: float = Field(default=0.1, gt=0, le=1)
    by_size: IterationsBySize | None = Field(default=None, exclude_if=lambda value: value is None)
    by_structure: dict[str, StructureTraining] = Field(default_factory=dict)

    @field_validator("by_structure")
    @classmethod
    def _canonical_names(cls, value: dict[str, StructureTraining]) -> dict[str, StructureTraining]:
        return {HypergridStructure.parse(name).name: training for name, training in value.items()}

    def for_structure(self, name: str) -> "PolicyTrainingConfig":
        """This configuration with the structure's own values in place, and no others left."""
        own, iterations = self.by_structure.get(name, StructureTraining()), self.iterations
        if self.by_size is not None:
            iterations = self.by_size.iterations(iterations, HypergridStructure.parse(name))
        return self.model_copy(
            update={
                "iterations": own.iterations or iterations,
                "batch_size": own.batch_size or self.batch_size,
                "checkpoints": own.checkpoints or self.checkpoints,
                "by_size": None,
                "by_structure": {},
            }
        )

    def with_iterations(self, iterations: int) -> "PolicyTrainingConfig":
        """The same training over so many iterations in every structure, with its end as the one checkpoint."""
        own = {"iterations": None, "checkpoints": None}
        return self.model_copy(
            update={
                "iterations": iterations,
                "checkpoints": 1,
                "by_size": None,
                "by_structure": {name: value.model_copy(update=own) for name, value in self.by_structure.items()},
            }
        )

    def checkpoint_steps(self) -> list[int]:
        """Iterations (counted from 1) after which checkpoints are taken, ascending and distinct."""
        return last_steps(self.iterations, self.checkpoints, self.window)


class JudgeConfig(Config):
    """How policies are judged.

    Attributes:
        exact: exact metrics; without, or where they do not fit, the sampled ones alone.
        memory_gib: budget of the exact judge.
        samples: N of the sampled protocol (0 leaves it out).
        floor_repeats: samplers and untrained policies that the floors are averaged over.
    """

    exact: bool = True
    memory_gib: float = Field(default=2.0, gt=0)
    samples: int = Field(default=1_000, ge=0)
    floor_repeats: int = Field(default=8, ge=1)


class HypergridConfig(Config):
    """GFlowNet policies on hypergrids: MLP-3 of width `hidden`, LeakyReLU of slope `slope`."""

    kind: Literal["hypergrid"] = "hypergrid"
    hidden: int = Field(default=32, ge=1)
    slope: float = Field(default=0.01, gt=0, lt=1)
    reward: RewardConfig = RewardConfig()
    stop_rule: StopRule = "anywhere"
    training: PolicyTrainingConfig = PolicyTrainingConfig()
    judge: JudgeConfig = JudgeConfig()
