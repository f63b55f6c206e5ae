"""States at which policies are compared, and what they do there as differentiable functions of their weights."""

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu, one_hot, pad

from zoogen.identity import derive_seed
from zoogen.networks.stacked_mlp import MLPShape, StackedMLP
from zoogen.seeds import seeded_generator
from zoogen.tasks.hypergrid.environment import HypergridEnvironment
from zoogen.tasks.hypergrid.optimal import OptimalPolicy
from zoogen.tasks.hypergrid.sampling import TrajectorySampler

IMPOSSIBLE = -1e9  # logit of an increment that is not allowed: its chance is 0, and a KL stays finite
_VISITED = 0.7  # share of the states that policies visit; the others are uniform
_BATCH = 32  # trajectories of every policy at once


def probed_states(
    environment: HypergridEnvironment,
    shape: MLPShape,
    policies: Tensor | OptimalPolicy,
    count: int,
    seed: int,
    device: str = "cpu",
) -> Tensor:
    """States [count, n] int64 in random order: 70 % visited by the policies [K, D] or the optimal one, the others
    uniform, so that rare states count, too (shares of METHODS' trials)."""
    generator = seeded_generator(seed)
    visits = round(_VISITED * count)
    if isinstance(policies, OptimalPolicy):
        visited = policies.visited(visits, generator)
    else:
        visited = _visited(environment, shape, policies.to(device), visits, seed)
    structure = environment.structure
    uniform = torch.randint(structure.horizon, (count - visits, structure.dimensions), generator=generator)
    # a trajectory that has to stop at an edge never has two coordinates there
    uniform = torch.where(environment.terminal(uniform)[:, None], uniform, uniform.clamp(max=structure.horizon - 2))
    states = torch.cat([visited.cpu(), uniform])
    return states[torch.randperm(count, generator=generator)]


def _visited(environment: HypergridEnvironment, shape: MLPShape, weights: Tensor, count: int, seed: int) -> Tensor:
    """States that policies [K, D] come by, of whole trajectories, equally many of each as far as that goes."""
    policy = StackedMLP(shape, weights)
    sampler = TrajectorySampler(policy, environment, _BATCH)
    states, found, batch = [], 0, 0
    while found < count:
        seeds = [derive_seed("probe", seed, batch, k) for k in range(policy.count)]
        rows = sampler.sample(sampler.uniforms(list(map(seeded_generator, seeds)))).rows
        assert rows is not None, "they are kept by default"
        states.append(rows.states[rows.valid].cpu())
        found, batch = found + len(states[-1]), batch + 1
    visited = torch.cat(states)
    return visited[torch.randperm(found, generator=seeded_generator(derive_seed("probe", seed)))[:count]]


def log_chances(environment: HypergridEnvironment, shape: MLPShape, weights: Tensor, states: Tensor) -> Tensor:
    """Log-probabilities of all actions, [K, R, n + 1], differentiable in the weights [K, D].

    Args:
        states: [R, n] int64 for all policies alike, or [K, R, n] for each its own.
    """
    tensors = shape.layout.unflatten(weights)
    encoded = one_hot(states, environment.structure.horizon).flatten(-2).to(weights)
    first = tensors["dense1.weight"].transpose(1, 2)
    hidden = leaky_relu(torch.matmul(encoded, first) + tensors["dense1.bias"].unsqueeze(1), shape.slope)
    second, third = (tensors[f"{name}.weight"].transpose(1, 2) for name in ("dense2", "dense3"))
    hidden = leaky_relu(torch.baddbmm(tensors["dense2.bias"].unsqueeze(1), hidden, second), shape.slope)
    logits = torch.baddbmm(tensors["dense3.bias"].unsqueeze(1), hidden, third)
    blocked = pad(~environment.increment_mask(states), (0, 1), value=False)
    return logits.masked_fill(blocked, IMPOSSIBLE).log_softmax(-1)
