"""Exact distributions on environments that are small enough to enumerate."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zoogen.errors import ZoogenError

if TYPE_CHECKING:
    from gfn.env import DiscreteEnv


@dataclass(frozen=True)
class StateGraph:
    """All states that are reachable from the initial one, which comes first.

    Attributes:
        states: [S, *state_shape].
        successors: state that each action but stop leads to, S where it is not allowed; [S, A − 1].
        masks: allowed actions, stop last, [S, A] bool.
        truth: R(x)/Z where stop is allowed, else 0, [S] float64.
        rewards: R(x) where stop is allowed, else 0, [S] float64.
    """

    states: Tensor
    successors: Tensor
    masks: Tensor
    truth: Tensor
    rewards: Tensor

    def terminating(self, chances: Tensor) -> Tensor:
        """Terminating distributions [K, S] of policies with action probabilities [K, S, A], float64.

        Moves the probability mass forward one action at a time until all of it has stopped.
        """
        count, size, _ = chances.shape
        chances = chances.double()
        mass = chances.new_zeros(count, size)
        mass[:, 0] = 1
        result = torch.zeros_like(mass)
        targets = self.successors.flatten()
        for _ in range(size + 1):
            result += mass * chances[..., -1]
            moved = (mass.unsqueeze(2) * chances[..., :-1]).flatten(1)
            mass = chances.new_zeros(count, size + 1).index_add_(1, targets, moved)[:, :size]
            if not bool(mass.any()):
                return result
        raise ZoogenError("the environment's graph has a cycle, so a policy has no terminating distribution")


@torch.no_grad()
def enumerate_states(env: "DiscreteEnv", limit: int) -> StateGraph | None:
    """The state graph, breadth first; None if there are more than `limit` states."""
    actions = env.n_actions
    known: dict[bytes, int] = {}
    found: list[Tensor] = []

    def indices(states: Tensor) -> list[int]:
        keys = [row.tobytes() for row in states.reshape(len(states), -1).numpy()]
        for key, row in zip(keys, states, strict=True):
            if key not in known:
                known[key] = len(known)
                found.append(row)
        return [known[key] for key in keys]

    indices(env.reset((1,)).tensor)
    masks, successors, done = [], [], 0
    while done < len(found):
        if len(found) > limit:
            return None
        frontier = torch.stack(found[done:])
        mask = env.states_from_tensor(frontier.clone()).forward_masks
        table = torch.full((len(frontier), actions - 1), -1)
        for action in range(actions - 1):
            rows = mask[:, action].nonzero().squeeze(1)
            if len(rows):
                taken = env.actions_from_tensor(torch.full((len(rows), 1), action))
                after = env._step(env.states_from_tensor(frontier[rows].clone()), taken)
                table[rows, action] = torch.tensor(indices(after.tensor))
        masks.append(mask.clone())
        successors.append(table)
        done += len(frontier)
    states, allowed = torch.stack(found), torch.cat(masks)
    log_reward = env.log_reward(env.states_from_tensor(states.clone())).double()
    log_reward = torch.where(allowed[:, -1], log_reward, -torch.inf)
    table = torch.cat(successors)
    return StateGraph(
        states, torch.where(table < 0, len(states), table), allowed, log_reward.softmax(0), log_reward.exp()
    )
