"""The optimal policy of a grid under the uniform backward policy, by backward flow (METHODS: exact teacher).

F(s) = R(s) + Σ_children F(s') / parents(s'), P_F(s' | s) = F(s') / (parents(s') F(s)), P_F(stop | s) = R(s) / F(s).
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from zoogen.tasks.hypergrid.environment import HypergridEnvironment
from zoogen.tasks.hypergrid.judge import grid_levels


@dataclass(frozen=True)
class OptimalPolicy:
    """Flow through the states of a grid, in row-major order.

    Attributes:
        environment: the grid.
        flow: F(s), [h^n] float64; 0 where no trajectory comes by.
    """

    environment: HypergridEnvironment
    flow: Tensor

    @classmethod
    def of(cls, environment: HypergridEnvironment) -> "OptimalPolicy":
        """By one pass over the levels of the grid, from the last one down."""
        levels, n = grid_levels(environment.structure), environment.structure.dimensions
        states = levels.states.long()
        flow = torch.where(environment.terminal(states), environment.levels[environment.reward_class(states)], 0.0)
        for level in range(len(levels.bounds) - 2, 0, -1):
            first, middle, last = levels.bounds[level - 1 : level + 2]
            below, here = states[first:middle], slice(middle, last)
            allowed = torch.cat([environment.increment_mask(below), torch.zeros(1, n, dtype=torch.bool)])
            parents = levels.parents[here].long()
            open_ = torch.stack([allowed[parents[:, i], i] for i in range(n)], 1)
            flow[here] *= open_.any(1)  # where no parent may lead, nothing is terminal either
            share = flow[here] / open_.sum(1).clamp(min=1)
            received = torch.zeros(len(below) + 1, dtype=torch.float64)
            for i in range(n):
                received.index_add_(0, parents[:, i], share * open_[:, i])
            flow[first:middle] += received[:-1]
        return cls(environment, torch.empty_like(flow).index_copy_(0, _rows(environment, states), flow))

    def chances(self, states: Tensor) -> Tensor:
        """P_F of the increments and of stop in states [R, n] that trajectories come by, [R, n + 1] float32."""
        environment = self.environment
        own, reward = self.flow[_rows(environment, states)], environment.levels[environment.reward_class(states)]
        stop = torch.where(environment.terminal(states), reward, 0.0)
        chances = [self._received(states, i) for i in range(environment.structure.dimensions)]
        return (torch.stack([*chances, stop], 1) / own[:, None]).float()

    def _received(self, states: Tensor, i: int) -> Tensor:
        """What a child along coordinate i gives its parents [R, n] each, [R] float64."""
        allowed = self.environment.increment_mask(states)[:, i]
        children = states.clone()
        children[:, i] = torch.where(allowed, states[:, i] + 1, states[:, i])
        share = self.flow[_rows(self.environment, children)] / self._parents(children).clamp(min=1)
        return torch.where(allowed, share, 0.0)

    def _parents(self, states: Tensor) -> Tensor:
        count = torch.zeros(len(states), dtype=torch.int64)
        for i in range(states.shape[1]):
            inside = states[:, i] > 0
            parent = states.clone()
            parent[:, i] -= inside.long()
            count += inside & self.environment.increment_mask(parent)[:, i]
        return count

    def visited(self, count: int, generator: torch.Generator) -> Tensor:
        """States [count, n] in proportion to their flow, as the optimal policy visits them."""
        u = torch.rand(count, generator=generator, dtype=torch.float64)
        rows = torch.searchsorted(self._cumulative, u * self._cumulative[-1], right=True)
        return states_of(self.environment, rows.clamp(max=len(self.flow) - 1))

    @cached_property
    def _cumulative(self) -> Tensor:
        return self.flow.cumsum(0)


@lru_cache(maxsize=2)
def optimal_policy(environment: HypergridEnvironment) -> OptimalPolicy:
    """The optimal policy of a grid: 8 bytes a state, and more while it is worked out."""
    return OptimalPolicy.of(environment)


def states_of(environment: HypergridEnvironment, rows: Tensor) -> Tensor:
    """States [R, n] at places [R] of the row-major order."""
    return torch.stack([(rows // stride) % environment.structure.horizon for stride in _strides(environment)], 1)


def _rows(environment: HypergridEnvironment, states: Tensor) -> Tensor:
    return (states * torch.tensor(_strides(environment))).sum(-1)


def _strides(environment: HypergridEnvironment) -> list[int]:
    h, n = environment.structure.horizon, environment.structure.dimensions
    return [h ** (n - 1 - i) for i in range(n)]
