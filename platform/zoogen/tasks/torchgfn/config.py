"""Configuration of the torchgfn task."""

import re
from typing import Literal

from pydantic import Field, JsonValue, field_validator

from zoogen.config import Config
from zoogen.schedules import last_steps
from zoogen.shown import shown
from zoogen.tasks.hypergrid.learner_config import ObjectiveConfig, TrajectoryBalanceConfig
from zoogen.tasks.hypergrid.optimiser_config import OptimiserConfig


class PolicyNetworkConfig(Config):
    """torchgfn's MLP, for the policy and for the state flow of the objectives that need one."""

    hidden: int = Field(default=32, ge=1)
    hidden_layers: int = Field(default=2, ge=1)
    activation: Literal["relu", "leaky_relu", "tanh", "elu"] = "leaky_relu"


class TorchgfnTrainingConfig(Config):
    """How each policy is trained.

    Attributes:
        iterations: gradient steps.
        batch_size: trajectories per step.
        epsilon: chance of a uniformly random action while sampling.
        checkpoints: saved per run, evenly spaced over the last `window` of the training.
        window: share of the iterations that the checkpoints spread over; the last one is the end.
        log_reward_floor: lower bound on log R in the losses, for environments with zero rewards.
    """

    objective: ObjectiveConfig = TrajectoryBalanceConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    iterations: int = Field(default=2_000, ge=1)
    batch_size: int = Field(default=16, ge=1)
    epsilon: float = Field(default=0.0, ge=0, lt=1)
    checkpoints: int = Field(default=1, ge=1)
    window: float = Field(default=0.1, gt=0, le=1)
    log_reward_floor: float | None = None

    def checkpoint_steps(self) -> list[int]:
        """Iterations (counted from 1) after which checkpoints are taken, ascending and distinct."""
        return last_steps(self.iterations, self.checkpoints, self.window)


class TorchgfnConfig(Config):
    """Policies on a torchgfn environment.

    Attributes:
        environment: name `module:Class` of a class of discrete environments, one of `environments.ENVIRONMENTS` (see
            `environments.ALLOWED_VARIABLE` for further ones).
        source: SHA-256 of the environment's own module, filled in when a cohort is planned; None for installed ones.
        structures: keyword arguments of the environment by structure name.
        encoding: how states enter the network; `auto` is `khot` for grids (one-hot per coordinate),
            else the state tensor as it is.
        exact_states: environments with more reachable states are judged by samples.
        samples: trajectories of each policy for the sampled metrics.
    """

    kind: Literal["torchgfn"] = "torchgfn"
    environment: str = "gfn.gym.hypergrid:HyperGrid"
    source: str | None = Field(default=None, exclude_if=lambda source: source is None)
    structures: dict[str, dict[str, JsonValue]] = {"8x2": {"ndim": 2, "height": 8}}
    encoding: Literal["auto", "khot", "identity"] = "auto"
    network: PolicyNetworkConfig = PolicyNetworkConfig()
    training: TorchgfnTrainingConfig = TorchgfnTrainingConfig()
    exact_states: int = Field(default=50_000, ge=0)
    samples: int = Field(default=2000, ge=1)

    @field_validator("structures")
    @classmethod
    def _plain_names(cls, value: dict[str, dict[str, JsonValue]]) -> dict[str, dict[str, JsonValue]]:
        if not value:
            raise ValueError("needs at least one named set of keyword arguments")
        for name in value:
            # names become parts of file names
            if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}", name) is None:
                raise ValueError(f"{shown(name)} is no structure name: letters, digits, _ . and - only, at most 40")
        return value
