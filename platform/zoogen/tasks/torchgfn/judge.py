"""Judging policies on a torchgfn environment: exactly where its states can be enumerated, else by samples."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zoogen.identity import derive_seed
from zoogen.seeds import seeded
from zoogen.tasks.divergences import clipped_at_zero, divergence_terms
from zoogen.tasks.torchgfn.config import TorchgfnConfig
from zoogen.tasks.torchgfn.enumeration import StateGraph, enumerate_states
from zoogen.tasks.torchgfn.environments import make_environment
from zoogen.tasks.torchgfn.policies import forward_policy, set_weights

if TYPE_CHECKING:
    from gfn.env import DiscreteEnv

_ROWS = 1 << 15  # states whose action probabilities are computed at once


@lru_cache(maxsize=4)
def state_graph(path: str, arguments: str, limit: int) -> StateGraph | None:
    """The environment's states (arguments as JSON, so that equal requests are answered once)."""
    import json

    return enumerate_states(make_environment(path, json.loads(arguments)), limit)


@dataclass(frozen=True)
class PolicyJudge:
    """Judges flat weights on one environment."""

    config: TorchgfnConfig
    env: "DiscreteEnv"

    @torch.no_grad()
    def distribution(self, graph: StateGraph, weights: Tensor) -> Tensor:
        """Terminating distributions of weights [K, D] over the graph's states, [K, S] float64."""
        policy = forward_policy(self.config, self.env)
        chances = torch.empty(len(weights), *graph.masks.shape, dtype=torch.float64)
        for k, row in enumerate(weights):
            set_weights(policy.module, row)
            for start in range(0, len(graph.states), _ROWS):
                rows = slice(start, start + _ROWS)
                logits = policy(self.env.states_from_tensor(graph.states[rows].clone())).double()
                chances[k, rows] = logits.masked_fill(~graph.masks[rows], -torch.inf).softmax(-1)
        return graph.terminating(chances)

    def exact(self, graph: StateGraph, weights: Tensor) -> dict[str, Tensor]:
        """`js`, `kl`, `tv` and `expected_reward`, each [K] float64."""
        # one policy at a time: K × S × A probabilities need not exist at once
        parts = [self.distribution(graph, row.unsqueeze(0)) for row in weights]
        learnt = torch.cat(parts) if parts else torch.empty(0, len(graph.states), dtype=torch.float64)
        return {**clipped_at_zero(divergence_terms(graph.truth, learnt)), "expected_reward": learnt @ graph.rewards}

    @torch.no_grad()
    def samples(self, weights: Tensor, seed: int) -> tuple[Tensor, Tensor, Tensor]:
        """Distinct final states of one policy's trajectories [V, …], how often [V], and their log R [V]."""
        from gfn.samplers import Sampler

        policy = forward_policy(self.config, self.env)
        set_weights(policy.module, weights)
        with seeded(seed):
            trajectories = Sampler(policy).sample_trajectories(self.env, n=self.config.samples)
        final = trajectories.terminating_states.tensor
        visited, counts = torch.unique(final, dim=0, return_counts=True)
        log_reward = self.env.log_reward(self.env.states_from_tensor(visited.clone())).double()
        return visited, counts.double(), log_reward

    def sampled(self, weights: Tensor, seed: int) -> dict[str, Tensor]:
        """Metrics of samples, each [K] float64.

        `js` compares how often each *visited* state came with its share of the visited states' reward
        (Z is unknown, so states that were missed do not count), `mean_reward`, and `distinct` states.
        """
        rows = []
        for k, network in enumerate(weights):
            _, counts, log_reward = self.samples(network, derive_seed("sampled", seed, k))
            q = counts / counts.sum()
            p = log_reward.softmax(0) if bool((log_reward > -math.inf).any()) else torch.zeros_like(q)
            js = float(clipped_at_zero(divergence_terms(p, q.unsqueeze(0)))["js"])
            rows.append({"js": js, "mean_reward": float(q @ log_reward.exp()), "distinct": float(len(counts))})
        names = ("js", "mean_reward", "distinct")
        return {name: torch.tensor([row[name] for row in rows], dtype=torch.float64) for name in names}
