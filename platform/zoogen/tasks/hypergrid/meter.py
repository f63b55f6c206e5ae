"""What a cohort's trajectories earn, counted during training."""

import torch
from torch import Tensor

from zoogen.tasks.hypergrid.environment import HypergridEnvironment
from zoogen.tasks.hypergrid.sampling import Trajectories


class RewardMeter:
    """Sums rewards and visited states of M policies' trajectories.

    Args:
        environment: tells rewards.
        count: number M of policies.
        device: of the trajectories.
    """

    def __init__(self, environment: HypergridEnvironment, count: int, device: str = "cpu") -> None:
        self._environment = environment
        self._levels = environment.levels.to(device)
        self._reward = torch.zeros(count, dtype=torch.float64, device=device)
        self._states = torch.zeros(count, dtype=torch.int64, device=device)
        self._trajectories = 0

    def add(self, trajectories: Trajectories) -> None:
        """Count a batch; it must hold its rows."""
        assert trajectories.rows is not None
        rewards = self._levels[self._environment.reward_class(trajectories.final)]
        self._reward += rewards.sum(1)
        self._states += trajectories.rows.valid.sum(1)
        self._trajectories += trajectories.final.shape[1]

    def read(self) -> dict[str, Tensor]:
        """`reward`, the mean of the trajectories since the last reading (NaN without any), and `states_visited`, all
        states of all trajectories so far, the first and the last included and repetitions counted; each [M]."""
        mean = self._reward / self._trajectories if self._trajectories else torch.full_like(self._reward, torch.nan)
        self._reward, self._trajectories = torch.zeros_like(self._reward), 0
        return {"reward": mean.float().cpu(), "states_visited": self._states.float().cpu()}
