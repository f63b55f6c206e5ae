"""Objectives of policies."""

from typing import Annotated, Literal

from pydantic import Field

from zoogen.config import Config


class TrajectoryBalanceConfig(Config):
    """Trajectory balance with a learnt log Z (Malkin et al. 2022)."""

    kind: Literal["trajectory_balance"] = "trajectory_balance"
    initial_log_z: float = 0.0


class DetailedBalanceConfig(Config):
    """Detailed balance with a learnt state flow (Bengio et al. 2023)."""

    kind: Literal["detailed_balance"] = "detailed_balance"


class SubTrajectoryBalanceConfig(Config):
    """Sub-trajectory balance with weights λ^length (Madan et al. 2023)."""

    kind: Literal["sub_trajectory_balance"] = "sub_trajectory_balance"
    decay: float = Field(default=0.9, gt=0, le=1)


class FlowMatchingConfig(Config):
    """Flow matching on edge flows (Bengio et al. 2021); the policy's outputs are log edge flows."""

    kind: Literal["flow_matching"] = "flow_matching"


ObjectiveConfig = Annotated[
    TrajectoryBalanceConfig | DetailedBalanceConfig | SubTrajectoryBalanceConfig | FlowMatchingConfig,
    Field(discriminator="kind"),
]
