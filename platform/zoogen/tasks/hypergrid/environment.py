"""The hypergrid environment: states, stop rule and reward, with integer band tests."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from zoogen.tasks.hypergrid.environment_config import RewardConfig, StopRule
from zoogen.tasks.hypergrid.structure import HypergridStructure


@dataclass(frozen=True)
class HypergridEnvironment:
    """A hypergrid with its reward.

    From 0, an action adds 1 to one coordinate or stops. With `anywhere` (torchgfn) every state may
    stop and all h^n are terminal; with `forced_at_edge` (Bengio et al. 2021, code) the trajectory
    must stop once a coordinate reaches h−1, so (h−1)^n + n(h−1)^(n−1) states are terminal.
    """

    structure: HypergridStructure
    reward: RewardConfig
    stop_rule: StopRule = "anywhere"

    @property
    def max_length(self) -> int:
        """Most actions of a trajectory, stop included."""
        h, n = self.structure.horizon, self.structure.dimensions
        return n * (h - 1) + 1 if self.stop_rule == "anywhere" else n * (h - 2) + 2

    @cached_property
    def bands(self) -> Tensor:
        """Whether each coordinate value lies in the outer (R1) and the inner (R2) band, [2, h] bool.

        Integers, because floats misplace band edges: with m = h−1 (or h) and a = |2x − m|,
        |x/m − .5| > .25 ⟺ 2a > m, > .3 ⟺ 5a > 3m, < .4 ⟺ 5a < 4m.
        """
        h = self.structure.horizon
        m = h - 1 if self.reward.coordinates == "x/(h-1)" else h
        a = (2 * torch.arange(h) - m).abs()
        return torch.stack([2 * a > m, (5 * a > 3 * m) & (5 * a < 4 * m)])

    @property
    def levels(self) -> Tensor:
        """Reward of each class: neither band, R1 alone, R1 and R2; [3] float64."""
        r = self.reward
        return torch.tensor([r.r0, r.r0 + r.r1, r.r0 + r.r1 + r.r2], dtype=torch.float64)

    def reward_class(self, states: Tensor) -> Tensor:
        """Index into `levels` for states [..., n] int64, [...] int64 (the R2 band lies within the R1 band)."""
        inside = self.bands.to(states.device)[:, states].all(-1)
        return inside[0].long() + inside[1].long()

    def log_reward(self, states: Tensor) -> Tensor:
        """log R(x) of states [..., n], [...] float32."""
        return self.levels.log().float().to(states.device)[self.reward_class(states)]

    def increment_mask(self, states: Tensor) -> Tensor:
        """Which increments are allowed in states [..., n], [..., n] bool. Stop is always allowed."""
        below = states < self.structure.horizon - 1
        return below if self.stop_rule == "anywhere" else below & below.all(-1, keepdim=True)

    def terminal(self, states: Tensor) -> Tensor:
        """Whether states [..., n] can end a trajectory, [...] bool."""
        if self.stop_rule == "anywhere":
            return torch.ones(states.shape[:-1], dtype=torch.bool, device=states.device)
        return (states == self.structure.horizon - 1).sum(-1) <= 1

    @cached_property
    def class_counts(self) -> tuple[int, int, int]:
        """Number of terminal states in each reward class, in closed form (the bands are products)."""
        n = self.structure.dimensions

        def boxes(inside: Tensor) -> int:  # terminal states all of whose coordinates are inside
            if self.stop_rule == "anywhere":
                return int(inside.sum()) ** n
            interior, edge = int(inside[:-1].sum()), int(inside[-1])
            return interior**n + n * edge * interior ** (n - 1)

        everything = boxes(torch.ones(self.structure.horizon, dtype=torch.bool))
        outer, inner = boxes(self.bands[0]), boxes(self.bands[1])
        return everything - outer, outer - inner, inner

    @property
    def terminal_count(self) -> int:
        return sum(self.class_counts)

    @cached_property
    def partition(self) -> float:
        """Z = Σ_x R(x) over terminal states, in closed form."""
        return float(sum(c * r for c, r in zip(self.class_counts, self.levels.tolist(), strict=True)))

    @property
    def expected_reward(self) -> float:
        """Mean reward of a perfect sampler, Σ R(x)² / Σ R(x); a policy that seeks modes alone exceeds it."""
        squares = sum(c * r**2 for c, r in zip(self.class_counts, self.levels.tolist(), strict=True))
        return float(squares / self.partition)

    @property
    def mode_class(self) -> int:
        """The best reward class that has states: 2 where the grid has R2 states, else 1, else 0."""
        return max(c for c in range(3) if self.class_counts[c] > 0)

    def mode_region(self, states: Tensor) -> Tensor:
        """Orthant of states [..., n] (bit i: x_i in the upper half), −1 for states outside the modes; [...] int64."""
        upper = 2 * states > self.structure.horizon - 1
        weights = 2 ** torch.arange(self.structure.dimensions, device=states.device)
        return torch.where(self.reward_class(states) == self.mode_class, (upper * weights).sum(-1), -1)
