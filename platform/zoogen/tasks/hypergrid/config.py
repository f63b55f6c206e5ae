"""Configuration of the hypergrid task."""

from typing import Literal

from pydantic import Field, field_validator

from zoogen.config import Config
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


class PolicyTrainingConfig(Config):
    """How policies are trained.

    Attributes:
        iterations: gradient steps.
        batch_size: trajectories per step and policy.
        epsilon, final_epsilon: chance of a uniform action, from the first to the last iteration (linear).
        checkpoints: saved per run, evenly spaced over the last `window` of the training.
        window: share of the iterations that the checkpoints spread over; the last one is the end.
        by_structure: other iterations, batch size or checkpoints for single structures (any spelling).
    """

    objective: ObjectiveConfig = TrajectoryBalanceConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    iterations: int = Field(default=10_000, ge=1)
    batch_size: int = Field(default=16, ge=1)
    epsilon: float = Field(default=0.0, ge=0, le=1)
    final_epsilon: float = Field(default=0.0, ge=0, le=1)
    checkpoints: int = Field(default=1, ge=1)
    window: float = Field(default=0.1, gt=0, le=1)
    by_structure: dict[str, StructureTraining] = Field(default_factory=dict)

    @field_validator("by_structure")
    @classmethod
    def _canonical_names(cls, value: dict[str, StructureTraining]) -> dict[str, StructureTraining]:
        return {HypergridStructure.parse(name).name: training for name, training in value.items()}

    def for_structure(self, name: str) -> "PolicyTrainingConfig":
        """This configuration with the structure's own values in place, and no others left."""
        own = self.by_structure.get(name, StructureTraining())
        return self.model_copy(
            update={
                "iterations": own.iterations or self.iterations,
                "batch_size": own.batch_size or self.batch_size,
                "checkpoints": own.checkpoints or self.checkpoints,
                "by_structure": {},
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
