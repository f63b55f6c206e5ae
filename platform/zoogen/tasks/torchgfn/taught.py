"""States at which torchgfn policies are compared, and their chances there as differentiable functions of weights."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from zoogen.identity import derive_seed
from zoogen.seeds import seeded, seeded_generator
from zoogen.tasks.torchgfn.config import TorchgfnConfig
from zoogen.tasks.torchgfn.policies import forward_policy, layout_of, set_weights

if TYPE_CHECKING:
    from gfn.env import DiscreteEnv

_IMPOSSIBLE = -1e9  # logit of an action that is not allowed: its chance is 0, and a KL stays finite


@torch.no_grad()
def visited_states(config: TorchgfnConfig, env: "DiscreteEnv", weights: Tensor, count: int, seed: int) -> Tensor:
    """States [count, ...] in random order that the policies [K, D] come by, about equally many of each."""
    from gfn.samplers import Sampler

    policy, each, found = forward_policy(config, env), -(-count // len(weights)), []
    for k, network in enumerate(weights.cpu()):
        set_weights(policy.module, network)
        with seeded(derive_seed("probe", seed, k)):
            states = Sampler(policy).sample_trajectories(env, n=each).states
        inside = states.tensor[~states.is_sink_state]
        found.append(inside[torch.randperm(len(inside), generator=seeded_generator(derive_seed("probe", seed)))[:each]])
    visited = torch.cat(found)
    return visited[torch.randperm(len(visited), generator=seeded_generator(seed))[:count]]


def log_chances(config: TorchgfnConfig, env: "DiscreteEnv", weights: Tensor, states: Tensor) -> Tensor:
    """Log-probabilities of all actions, stop last, [K, R, A], differentiable in the weights [K, D].

    Args:
        states: [R, ...] for all policies alike, or [K, R, ...] for each its own.
    """
    policy, apart = forward_policy(config, env), states.ndim > len(env.state_shape) + 1
    flat = env.states_from_tensor((states.flatten(0, 1) if apart else states).cpu())
    encoded = policy.preprocessor(flat).to(weights)
    blocked = ~flat.forward_masks.to(weights.device)
    if apart:
        encoded, blocked = (rows.unflatten(0, states.shape[:2]) for rows in (encoded, blocked))
    module: nn.Module = policy.module

    def one(own: dict[str, Tensor], inputs: Tensor) -> Tensor:
        logits: Tensor = functional_call(module, own, (inputs,))
        return logits

    tensors = layout_of(module).unflatten(weights)
    logits = vmap(one, in_dims=(0, 0 if apart else None))(tensors, encoded)
    return logits.masked_fill(blocked, _IMPOSSIBLE).log_softmax(-1)
