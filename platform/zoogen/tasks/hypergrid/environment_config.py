"""Configuration of the hypergrid environment: its reward, and where trajectories stop."""

from typing import Literal

from zoogen.config import Config


class RewardConfig(Config):
    """R(x) = r0 + r1 ∏[.25 < |u_i − .5|] + r2 ∏[.3 < |u_i − .5| < .4] (GenFlowNet §3.2).

    `coordinates` says what u_i is: x_i/(h−1), as all public code has it, or the paper's x_i/h.
    """

    r0: float = 0.1
    r1: float = 0.5
    r2: float = 2.0
    coordinates: Literal["x/(h-1)", "x/h"] = "x/(h-1)"


StopRule = Literal["anywhere", "forced_at_edge"]
