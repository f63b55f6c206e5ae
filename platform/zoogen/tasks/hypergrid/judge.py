"""The exact judge: terminating distributions of K policies by forward flow, and their metrics.

The state graph is a grid, so F(0) = 1, F(s') = Σ_parents F(s)·P_F(s → s') level by level of equal
coordinate sum, and p_θ(x) = F(x)·P_F(stop | x). Networks run in float32, flows and metrics in float64.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu, one_hot

from zoogen.errors import ZoogenError
from zoogen.networks.stacked_mlp import MLPShape, StackedMLP
from zoogen.tasks.divergences import divergence_terms
from zoogen.tasks.hypergrid.environment import HypergridEnvironment
from zoogen.tasks.hypergrid.structure import HypergridStructure

_TILE = 1 << 15  # states × models whose activations are held at once: stays near the cache
_MODE_SHARE = 0.5  # a mode counts as found from this share of its true probability mass


@dataclass(frozen=True)
class Levels:
    """The states of a grid sorted by coordinate sum.

    Attributes:
        states: [S, n] int16.
        bounds: level l holds rows bounds[l] … bounds[l + 1] − 1.
        parents: row of each state's parent along each coordinate *within the previous level*,
            or that level's size where there is none, [S, n] int32.
    """

    states: Tensor
    bounds: tuple[int, ...]
    parents: Tensor


@lru_cache(maxsize=4)
def grid_levels(structure: HypergridStructure) -> Levels:
    """Levels of the grid; about 6·n + 8 bytes a state."""
    h, n = structure.horizon, structure.dimensions
    axes = torch.arange(h, dtype=torch.int16)
    states = torch.cartesian_prod(*[axes] * n).view(-1, n)
    sums = states.sum(1, dtype=torch.int64)
    order = torch.argsort(sums, stable=True)
    counts = torch.bincount(sums)
    bounds = [0, *torch.cumsum(counts, 0).tolist()]
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order))
    starts = torch.tensor(bounds)[:-1]
    parents = torch.empty(len(order), n, dtype=torch.int32)
    level = sums[order]
    before = (level - 1).clamp(min=0)
    for i in range(n):
        stride = h ** (n - 1 - i)
        exists = states[order, i] > 0
        parent = rank[(order - stride).clamp(min=0)] - starts[before]
        parents[:, i] = torch.where(exists, parent, counts[before]).int()
    return Levels(states[order], tuple(bounds), parents)


@dataclass(frozen=True)
class ExactMetrics:
    """Exact metrics of K policies, each [K] float64.

    Attributes:
        js: Jensen-Shannon divergence between truth and learnt distribution, nats (at most ln 2).
        kl: KL(p ‖ p_θ), nats; infinite where a policy excludes a terminal state.
        tv: total variation, ½ Σ |p − p_θ|.
        modes: mode regions (one per orthant) that hold at least half of their true mass.
        expected_reward: Σ p_θ(x) R(x).
    """

    js: Tensor
    kl: Tensor
    tv: Tensor
    modes: Tensor
    expected_reward: Tensor


class ExactJudge:
    """Judges policies of one structure within a memory budget.

    Args:
        environment: the grid and its reward.
        shape: of the policy networks.
        memory_gib: budget for everything that the judge allocates.
        device: `cpu` or a CUDA device.

    Raises:
        ZoogenError: one policy alone would exceed the budget.
    """

    def __init__(
        self, environment: HypergridEnvironment, shape: MLPShape, memory_gib: float = 2.0, device: str = "cpu"
    ) -> None:
        self.environment, self.shape, self.device = environment, shape, torch.device(device)
        self.models_at_once = self.capacity(environment.structure, shape, memory_gib)
        if self.models_at_once < 1:
            raise ZoogenError(
                f"{environment.structure.label} has {environment.structure.states:,} states, too many for the exact "
                f"judge's budget of {memory_gib:g} GiB; raise task.judge.memory_gib or use the sampled metrics"
            )

    @staticmethod
    def capacity(structure: HypergridStructure, shape: MLPShape, memory_gib: float) -> int:
        """How many policies fit into the budget at once; 0 if not even one does."""
        n, h = structure.dimensions, structure.horizon
        states = structure.states
        # the largest level is close to that of a normal distribution of coordinate sums
        widest = min(states, 2 + int(states / max(1.0, (2 * torch.pi * n * (h * h - 1) / 12) ** 0.5) * 1.2))
        # the grid: states and parents twice while sorting, and the class, region and truth of each state
        grid = states * (2 * (2 * n + 4 * n) + 48)
        tile = _TILE * (3 * shape.hidden + 4 * shape.outputs + structure.state_size) * 4
        each = widest * (n + 4) * 8 * 2 + (2**n + shape.layout.size) * 16
        return int((memory_gib * 2**30 - grid - tile) // each)

    def metrics(self, weights: Tensor) -> ExactMetrics:
        """Metrics of flat weights [K, D]."""
        parts = [self._judge(chunk) for chunk in weights.split(self.models_at_once)]
        return ExactMetrics(*(torch.cat(column).cpu() for column in zip(*parts, strict=True)))

    def distribution(self, weights: Tensor) -> Tensor:
        """p_θ of flat weights [K, D] over the grid in row-major order, [K, h^n] float64 (0 where not terminal)."""
        levels = grid_levels(self.environment.structure)
        out = torch.empty(len(weights), len(levels.states), dtype=torch.float64)
        for first in range(0, len(weights), self.models_at_once):
            chunk = weights[first : first + self.models_at_once]
            for level, stopped in self._flow(chunk):
                out[first : first + len(chunk), level] = stopped.cpu()
        return self._row_major(out, levels)

    def truth(self) -> Tensor:
        """p(x) = R(x)/Z over the grid in row-major order, [h^n] float64 (0 where not terminal)."""
        levels = grid_levels(self.environment.structure)
        states = levels.states.long()
        p = self.environment.levels[self.environment.reward_class(states)] / self.environment.partition
        return self._row_major(torch.where(self.environment.terminal(states), p, 0.0), levels)

    def _row_major(self, sorted_values: Tensor, levels: Levels) -> Tensor:
        h, n = self.environment.structure.horizon, self.environment.structure.dimensions
        strides = torch.tensor([h ** (n - 1 - i) for i in range(n)])
        return torch.empty_like(sorted_values).index_copy_(-1, (levels.states.long() * strides).sum(1), sorted_values)

    def _judge(self, weights: Tensor) -> tuple[Tensor, ...]:
        environment, count = self.environment, len(weights)
        levels = grid_levels(environment.structure)
        rewards = environment.levels.to(self.device)
        js, kl, tv, reward = torch.zeros(4, count, dtype=torch.float64, device=self.device)
        sums = {"js": js, "kl": kl, "tv": tv}
        regions = 2**environment.structure.dimensions
        learnt = torch.zeros(count, regions + 1, dtype=torch.float64, device=self.device)
        true = torch.zeros(regions + 1, dtype=torch.float64, device=self.device)
        for level, q in self._flow(weights):
            states = levels.states[level].long().to(self.device)
            r = rewards[environment.reward_class(states)]
            p = torch.where(environment.terminal(states), r / environment.partition, 0.0)
            for name, terms in divergence_terms(p, q).items():
                sums[name] += terms
            reward += q @ r
            region = environment.mode_region(states) + 1
            learnt.index_add_(1, region, q)
            true.index_add_(0, region, p)
        found = (learnt[:, 1:] >= _MODE_SHARE * true[1:]) & (true[1:] > 0)
        return js.clamp_(min=0), kl.clamp_(min=0), tv, found.sum(1).double(), reward

    def _flow(self, weights: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Yield each level's rows and p_θ of its states, [K, S_level] float64."""
        n = self.environment.structure.dimensions
        levels = grid_levels(self.environment.structure)
        policy = StackedMLP(self.shape, weights.to(self.device, torch.float32))
        flow = torch.ones(len(weights), 1, dtype=torch.float64, device=self.device)
        outgoing = flow
        for first, last in zip(levels.bounds[:-1], levels.bounds[1:], strict=True):
            states = levels.states[first:last].long().to(self.device)
            if first > 0:
                # pull: child's flow is the sum of what its parents send along each coordinate
                source = levels.parents[first:last].long().to(self.device) * n
                source += torch.arange(n, device=self.device)
                flow = outgoing.index_select(1, source.flatten()).view(len(weights), -1, n).sum(2)
            sent = flow.new_zeros(len(weights), last - first + 1, n)  # last row: the parent that is not there
            stopped = torch.empty_like(flow)
            tile = max(1, _TILE // len(weights))
            for start in range(0, last - first, tile):
                rows = slice(start, min(start + tile, last - first))
                chances = self._chances(policy, states[rows])
                stopped[:, rows] = flow[:, rows] * chances[..., n]
                sent[:, rows] = flow[:, rows].unsqueeze(2) * chances[..., :n]
            outgoing = sent.flatten(1)
            yield slice(first, last), stopped

    def _chances(self, policy: StackedMLP, states: Tensor) -> Tensor:
        """P_F of every action in `states` [R, n] for all policies, [K, R, n + 1]."""
        structure, n = self.environment.structure, self.environment.structure.dimensions
        encoded = one_hot(states, structure.horizon).flatten(1).to(policy.parameters.dtype)
        hidden = leaky_relu_(policy.b1 + encoded @ policy.w1, self.shape.slope)
        hidden = leaky_relu_(torch.baddbmm(policy.b2, hidden, policy.w2), self.shape.slope)
        logits = torch.baddbmm(policy.b3, hidden, policy.w3.transpose(1, 2)).double()
        logits[..., :n].masked_fill_(~self.environment.increment_mask(states), -torch.inf)
        chances = (logits - logits.amax(-1, keepdim=True)).exp_()
        return chances.div_(chances.sum(-1, keepdim=True))


def leaky_relu_(values: Tensor, slope: float) -> Tensor:
    return leaky_relu(values, slope, inplace=True)
