"""What policies do: their terminating distributions, and the activations that they do it with."""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from zoogen.networks.stacked_mlp import MLPShape, StackedMLP
from zoogen.seeds import seeded_generator
from zoogen.tasks.hypergrid.environment import HypergridEnvironment
from zoogen.tasks.hypergrid.judge import ExactJudge
from zoogen.tasks.hypergrid.structure import HypergridStructure

MOST_STATES = 300_000  # beyond, distributions of a few hundred policies are too large to be kept
_VALUES_AT_ONCE = 1 << 23  # of float64 distributions in the making


def distributions(
    environment: HypergridEnvironment, shape: MLPShape, weights: Tensor, memory_gib: float, device: str = "cpu"
) -> Tensor | None:
    """Exact terminating distributions of policies [K, D] over the grid in row-major order, [K, h^n] float32 on the CPU.

    None where the grid has more than `MOST_STATES` states, or judge or distributions exceed the budget.
    """
    states = environment.structure.states
    if states > MOST_STATES or len(weights) * states * 4 > memory_gib * 2**30:
        return None
    if ExactJudge.capacity(environment.structure, shape, memory_gib) < 1:
        return None
    judge = ExactJudge(environment, shape, memory_gib, device)
    found = torch.empty(len(weights), states)
    at_once = max(1, _VALUES_AT_ONCE // states)
    for first in range(0, len(weights), at_once):
        found[first : first + at_once] = judge.distribution(weights[first : first + at_once])
    return found


def corresponding_states(structure: HypergridStructure, count: int, seed: int) -> Tensor:
    """States [count, n] int64 that correspond between grids: x_i = ⌊u_i·h⌋ with the same u ~ U[0, 1) for all grids.

    A grid of n dimensions takes the first n coordinates of u.
    """
    # drawn coordinate by coordinate, so that further dimensions leave the first ones as they are
    generator = seeded_generator(seed)
    u = torch.stack([torch.rand(count, generator=generator, dtype=torch.float64) for _ in range(structure.dimensions)])
    return (u * structure.horizon).long().clamp(max=structure.horizon - 1).T.contiguous()


def layer_outputs(
    structure: HypergridStructure, shape: MLPShape, weights: Tensor, count: int, seed: int
) -> dict[str, Tensor]:
    """Outputs of each layer of policies [K, D] on `count` corresponding states, each [K, count, width] float32.

    `dense1` and `dense2` after LeakyReLU, `dense3` the logits of all actions, forbidden ones included.
    """
    encoded = one_hot(corresponding_states(structure, count, seed), structure.horizon).flatten(1).float()
    policy = StackedMLP(shape, weights.float())
    logits, hidden = policy.forward(encoded.to(weights.device).expand(len(weights), -1, -1))
    return {"dense1": hidden.hidden1, "dense2": hidden.hidden2, "dense3": logits}
