"""Configuration of the torchgfn task."""

from typing import Literal

from pydantic import Field, JsonValue, model_validator

from zoogen.config import Config
from zoogen.tasks.hypergrid.learner import ObjectiveConfig, TrajectoryBalanceConfig
from zoogen.tasks.hypergrid.optimiser import OptimiserConfig


class PolicyNetworkConfig(Config):
    """torchgfn's MLP, for the policy and for the state flow of the objectives that need one."""

    hidden: int = Field(default=32, ge=1)
    hidden_layers: int = Field(default=2, ge=1)
    activation: Literal["relu", "leaky_relu", "tanh", "elu"] = "leaky_relu"


class PolicyTrainingConfig(Config):
    """How each policy is trained.

    Attributes:
        batch: trajectories per iteration.
        epsilon: probability of a uniformly random action while sampling.
        checkpoints: networks kept of each run, evenly spaced over the last part of the training.
        checkpoint_window: that part, as a share of the iterations.
        log_reward_floor: lower bound on log R in the losses, for environments with zero rewards.
    """

    objective: ObjectiveConfig = TrajectoryBalanceConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    iterations: int = Field(default=2000, ge=1)
    batch: int = Field(default=16, ge=1)
    epsilon: float = Field(default=0.0, ge=0, lt=1)
    checkpoints: int = Field(default=1, ge=1)
    checkpoint_window: float = Field(default=0.1, gt=0, le=1)
    log_reward_floor: float | None = None

    @model_validator(mode="after")
    def _window_holds_checkpoints(self) -> "PolicyTrainingConfig":
        window = max(1, round(self.iterations * self.checkpoint_window))
        if self.checkpoints > window:
            raise ValueError(f"{self.checkpoints} checkpoints do not fit into a window of {window} iterations")
        return self

    @property
    def checkpoint_steps(self) -> tuple[int, ...]:
        """Iterations after which a checkpoint is kept; the last one is the end of training."""
        window = max(1, round(self.iterations * self.checkpoint_window))
        return tuple(self.iterations - window * i // self.checkpoints for i in reversed(range(self.checkpoints)))


class TorchgfnConfig(Config):
    """Policies on a torchgfn environment.

    Attributes:
        environment: import path `module:name` of a `DiscreteEnv` class or of a function that makes one,
            inside `gfn.gym` (see `environments.ALLOWED_VARIABLE` for further modules).
        structures: keyword arguments of the environment by structure name.
        encoding: how states enter the network; `auto` is `khot` for grids (one-hot per coordinate),
            else the state tensor as it is.
        exact_states: environments with more reachable states are judged by samples.
        samples: trajectories of each policy for the sampled metrics.
    """

    kind: Literal["torchgfn"] = "torchgfn"
    environment: str = "gfn.gym.hypergrid:HyperGrid"
    structures: dict[str, dict[str, JsonValue]] = {"8^2": {"ndim": 2, "height": 8}}
    encoding: Literal["auto", "khot", "identity"] = "auto"
    network: PolicyNetworkConfig = PolicyNetworkConfig()
    training: PolicyTrainingConfig = PolicyTrainingConfig()
    exact_states: int = Field(default=50_000, ge=0)
    samples: int = Field(default=2000, ge=1)

    @model_validator(mode="after")
    def _names_structures(self) -> "TorchgfnConfig":
        if not self.structures:
            raise ValueError("structures needs at least one named set of keyword arguments")
        return self
