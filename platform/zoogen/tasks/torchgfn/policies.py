"""Policies of the torchgfn task: estimators around torchgfn's MLP, and their weights as flat vectors."""

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zoogen.errors import ZoogenError
from zoogen.seeds import seeded
from zoogen.tasks.torchgfn.config import TorchgfnConfig
from zoogen.weights.layout import ParameterLayout

if TYPE_CHECKING:
    from gfn.env import DiscreteEnv
    from gfn.estimators import DiscretePolicyEstimator
    from gfn.preprocessors import Preprocessor


def preprocessor(config: TorchgfnConfig, env: "DiscreteEnv") -> "Preprocessor":
    """How states enter the networks.

    Raises:
        ZoogenError: the encoding does not fit the environment.
    """
    from gfn.preprocessors import IdentityPreprocessor, KHotPreprocessor

    height, ndim = getattr(env, "height", None), getattr(env, "ndim", None)
    is_grid = isinstance(height, int) and isinstance(ndim, int)
    if config.encoding == "khot" and not is_grid:
        raise ZoogenError(f"encoding khot needs a grid with height and ndim, which {config.environment} is not")
    if is_grid and config.encoding != "identity":
        return KHotPreprocessor(height=height, ndim=ndim)
    if len(env.state_shape) != 1:
        shape = list(env.state_shape)
        raise ZoogenError(f"states of {config.environment} have shape {shape}; only vectors enter an MLP")
    return IdentityPreprocessor(output_dim=math.prod(env.state_shape))


def mlp(config: TorchgfnConfig, env: "DiscreteEnv", outputs: int, seed: int) -> nn.Module:
    """A freshly initialised network; `seed` alone decides its weights."""
    from gfn.utils.modules import MLP

    inputs = preprocessor(config, env).output_dim
    assert inputs is not None
    network = config.network
    with seeded(seed):
        return MLP(
            inputs,
            outputs,
            hidden_dim=network.hidden,
            n_hidden_layers=network.hidden_layers,
            activation_fn=network.activation,
        )


def forward_policy(config: TorchgfnConfig, env: "DiscreteEnv", seed: int = 0) -> "DiscretePolicyEstimator":
    """The forward policy: a network from states to logits of actions, stop last."""
    from gfn.estimators import DiscretePolicyEstimator

    module = mlp(config, env, env.n_actions, seed)
    return DiscretePolicyEstimator(module, env.n_actions, preprocessor=preprocessor(config, env))


def layout_of(module: nn.Module) -> ParameterLayout:
    """Layout of a network's parameters, in the order and under the names that torch gives them."""
    return ParameterLayout.of({name: tuple(parameter.shape) for name, parameter in module.named_parameters()})


def get_weights(module: nn.Module) -> Tensor:
    """Flat copy of a network's parameters, [D]."""
    return nn.utils.parameters_to_vector(module.parameters()).detach().clone()


def set_weights(module: nn.Module, weights: Tensor) -> None:
    """Set a network's parameters from a flat vector [D]."""
    nn.utils.vector_to_parameters(weights.detach().to(torch.float32), module.parameters())
