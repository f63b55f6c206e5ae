"""Configuration of the hypergrid environment: its reward, and where trajectories stop."""

import math
from typing import Literal

from pydantic import Field, model_validator

from zoogen.config import Config


class RewardConfig(Config):
    """R(x) = r0 + r1 ∏[.25 < |u_i − .5|] + r2 ∏[.3 < |u_i − .5| < .4] (GenFlowNet §3.2).

    `coordinates` says what u_i is: x_i/(h−1), as all public code has it, or the paper's x_i/h.
    """

    r0: float = Field(0.1, gt=0, description="reward of every state; positive, since its logarithm is learnt")
    r1: float = 0.5
    r2: float = 2.0
    coordinates: Literal["x/(h-1)", "x/h"] = "x/(h-1)"

    @model_validator(mode="after")
    def _positive(self) -> "RewardConfig":
        for level, value in (("r0 + r1", self.r0 + self.r1), ("r0 + r1 + r2", self.r0 + self.r1 + self.r2)):
            if not 0 < value < math.inf:
                raise ValueError(f"{level} is {value:g}, and rewards have to be positive and finite")
        return self


StopRule = Literal["anywhere", "forced_at_edge"]
