"""The paper's sampled protocol: metrics of N samples against the truth, and its two floors.

All sums over the grid are taken in closed form outside the visited states (the reward has three
classes), so the protocol works for grids of any size.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from zoogen.identity import derive_seed
from zoogen.networks.stacked_mlp import MLPShape, StackedMLP
from zoogen.seeds import seeded_generator
from zoogen.tasks.hypergrid.environment import HypergridEnvironment
from zoogen.tasks.hypergrid.sampling import TrajectorySampler

EPSILON = 1e-8  # added to empirical probabilities in KL, as the paper's numbers imply
_SAMPLED_AT_ONCE = 1 << 14  # trajectories sampled together, over all policies
METRICS = ("js", "kl", "l1", "modes", "mean_reward")


@dataclass(frozen=True)
class SampledProtocol:
    """Judges policies by `samples` trajectories each."""

    environment: HypergridEnvironment
    shape: MLPShape
    samples: int
    floor_repeats: int = 8

    def metrics(self, weights: Tensor, seed: int, device: str = "cpu") -> dict[str, Tensor]:
        """Metrics of flat weights [K, D], each [K] float64; network k's randomness depends on (seed, k).

        `js` and `kl` (p‖p̂ + 1e-8) in nats, `l1` mean |p̂ − p| over terminal states, `modes` the mode
        regions visited, `mean_reward` of the samples.
        """
        at_once = max(1, _SAMPLED_AT_ONCE // self.samples)
        rows = []
        for first in range(0, len(weights), at_once):
            chunk = weights[first : first + at_once].to(device, torch.float32)
            sampler = TrajectorySampler(StackedMLP(self.shape, chunk), self.environment, self.samples)
            generators = [seeded_generator(derive_seed("sampled", seed, first + k)) for k in range(len(chunk))]
            final = sampler.sample(sampler.uniforms(generators), keep_rows=False).final.cpu()
            rows += [self.of_samples(states) for states in final]
        return {name: torch.tensor([row[name] for row in rows], dtype=torch.float64) for name in METRICS}

    @lru_cache(maxsize=64)  # noqa: B019 - protocols are values; each of many scorings asks for the same floors
    def floors(self, seed: int) -> dict[str, dict[str, float]]:
        """The protocol's mean reading for a perfect sampler and for untrained policies, at the same N."""
        perfect = [
            self.of_samples(self.perfect_samples(seeded_generator(derive_seed("perfect", seed, r))))
            for r in range(self.floor_repeats)
        ]
        fresh = self.shape.initial([derive_seed("untrained floor", seed, r) for r in range(self.floor_repeats)])
        untrained = self.metrics(fresh, derive_seed("untrained floor", seed))
        return {
            "perfect_sampler": {m: sum(p[m] for p in perfect) / len(perfect) for m in METRICS},
            "untrained": {m: float(untrained[m].mean()) for m in METRICS},
        }

    def of_samples(self, states: Tensor) -> dict[str, float]:
        """Metrics of terminal states [N, n]."""
        environment = self.environment
        visited, counts = torch.unique(states, dim=0, return_counts=True)
        reward = environment.levels[environment.reward_class(visited)]
        p = reward / environment.partition
        q = counts.double() / len(states)
        unseen = max(0.0, 1 - float(p.sum()))  # true mass of the states not visited
        middle = (p + q) / 2
        js = 0.5 * float((p * (p / middle).log() + q * (q / middle).log()).sum()) + 0.5 * unseen * math.log(2)
        kl = self._negative_entropy() - float((p * (q + EPSILON).log()).sum()) - unseen * math.log(EPSILON)
        regions = environment.mode_region(visited)
        return {
            "js": js,
            "kl": kl,
            "l1": (float((p - q).abs().sum()) + unseen) / environment.terminal_count,
            "modes": float(len(torch.unique(regions[regions >= 0]))),
            "mean_reward": float(reward @ q),
        }

    def _negative_entropy(self) -> float:
        """Σ p log p over terminal states."""
        environment = self.environment
        probabilities = [r / environment.partition for r in environment.levels.tolist()]
        counts = environment.class_counts
        return sum(c * p * math.log(p) for c, p in zip(counts, probabilities, strict=True) if c)

    def perfect_samples(self, generator: torch.Generator) -> Tensor:
        """N exact samples from R/Z, [N, n]: R is a mixture of uniform distributions over boxes."""
        environment, n = self.environment, self.environment.structure.dimensions
        everything = torch.ones(environment.structure.horizon, dtype=torch.bool)
        boxes: list[tuple[float, list[Tensor]]] = []  # (mass, allowed values per coordinate)
        reward = environment.reward
        for level, inside in zip((reward.r0, reward.r1, reward.r2), (everything, *environment.bands), strict=True):
            values = torch.nonzero(inside).squeeze(1)
            if environment.stop_rule == "anywhere":
                sides = [[values] * n]
            else:
                interior, edge = values[values < len(inside) - 1], values[values == len(inside) - 1]
                sides = [[interior] * n] + [[edge if i == j else interior for i in range(n)] for j in range(n)]
            boxes += [(level * math.prod(len(v) for v in side), side) for side in sides]
        masses = torch.tensor([mass for mass, _ in boxes], dtype=torch.float64)
        chosen = torch.multinomial(masses, self.samples, replacement=True, generator=generator)
        samples = torch.empty(self.samples, n, dtype=torch.int64)
        for index in chosen.unique().tolist():
            rows = torch.nonzero(chosen == index).squeeze(1)
            for i, values in enumerate(boxes[index][1]):
                samples[rows, i] = values[torch.randint(len(values), (len(rows),), generator=generator)]
        return samples
