"""Policies to torchgfn and back, without loss.

torchgfn is imported inside the functions, because importing it sets the multiprocessing start method.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zoogen.errors import ZoogenError
from zoogen.networks.stacked_mlp import MLPShape
from zoogen.tasks.hypergrid.environment import HypergridEnvironment

if TYPE_CHECKING:
    from gfn.estimators import DiscretePolicyEstimator

    from zoogen.tasks.hypergrid.torchgfn_env import ExactHyperGrid


class PolicyMLP(nn.Module):
    """One MLP-3 as a torch module, with the parameter names of `MLPShape.layout`.

    Maps one-hot states [..., n·h] (dimension-major) to logits [..., n + 1] (increments, then stop).
    """

    def __init__(self, shape: MLPShape, weights: Tensor) -> None:
        """From flat weights [D], which are copied."""
        super().__init__()
        self.input_dim, self.output_dim = shape.inputs, shape.outputs
        self.dense1 = nn.Linear(shape.inputs, shape.hidden)
        self.dense2 = nn.Linear(shape.hidden, shape.hidden)
        self.dense3 = nn.Linear(shape.hidden, shape.outputs)
        self.activation = nn.LeakyReLU(shape.slope)
        self.load_state_dict(shape.layout.unflatten(weights.detach()))

    def forward(self, states: Tensor) -> Tensor:
        hidden = self.activation(self.dense1(states.to(self.dense1.weight.dtype)))
        return self.dense3(self.activation(self.dense2(hidden)))


@dataclass(frozen=True)
class TorchgfnPolicy:
    """A policy as torchgfn sees it: the environment and the forward and backward estimators."""

    env: "ExactHyperGrid"
    forward: "DiscretePolicyEstimator"
    backward: "DiscretePolicyEstimator"


def to_torchgfn(
    environment: HypergridEnvironment, shape: MLPShape, weights: Tensor, *, store_all_states: bool = False
) -> TorchgfnPolicy:
    """Flat weights [D] as torchgfn's environment and estimators (backward: uniform over parents).

    Args:
        store_all_states: enumerate the states, so that torchgfn's `true_dist` works.

    Raises:
        ZoogenError: the weights are no vector of the shape's length, or the shape does not fit the grid.
    """
    from gfn.estimators import DiscretePolicyEstimator
    from gfn.preprocessors import KHotPreprocessor

    from zoogen.tasks.hypergrid.torchgfn_env import ExactHyperGrid

    structure = environment.structure
    if (shape.inputs, shape.outputs) != (structure.state_size, structure.actions):
        raise ZoogenError(
            f"a policy with {shape.inputs} inputs and {shape.outputs} outputs does not fit {structure.label}, "
            f"which needs {structure.state_size} and {structure.actions}"
        )
    if weights.shape != (shape.layout.size,):
        raise ZoogenError(f"weights have shape {list(weights.shape)}, one policy needs [{shape.layout.size}]")
    env = ExactHyperGrid(environment, store_all_states)
    preprocessor = KHotPreprocessor(height=env.height, ndim=env.ndim)
    return TorchgfnPolicy(
        env,
        DiscretePolicyEstimator(PolicyMLP(shape, weights), env.n_actions, preprocessor=preprocessor),
        DiscretePolicyEstimator.uniform(env.n_actions, preprocessor=preprocessor),
    )


def from_torchgfn(estimator: "DiscretePolicyEstimator", slope: float = 0.01) -> Tensor:
    """Flat weights [D] of a forward policy estimator on a hypergrid, in the order of `MLPShape.layout`.

    Takes `PolicyMLP` and any module that holds three linear layers in order with LeakyReLU between
    them, such as torchgfn's own `MLP(…, n_hidden_layers=2, activation_fn="leaky_relu")`.

    Raises:
        ZoogenError: another encoding of states, another network, or layers that do not fit each other.
    """
    from gfn.preprocessors import KHotPreprocessor

    if not isinstance(estimator.preprocessor, KHotPreprocessor):
        raise ZoogenError(
            f"the policy reads states through {type(estimator.preprocessor).__name__}; only KHotPreprocessor "
            "(one-hot, dimension-major) converts"
        )
    modules = [module for module in estimator.module.modules() if not list(module.children())]
    layers = [module for module in modules if isinstance(module, nn.Linear)]
    others = [module for module in modules if not isinstance(module, nn.Linear)]
    if len(layers) != 3 or any(layer.bias is None for layer in layers):
        raise ZoogenError(f"the policy has {len(layers)} linear layers; an MLP-3 has 3, each with a bias")
    if not others or any(not isinstance(m, nn.LeakyReLU) or m.negative_slope != slope for m in others):
        raise ZoogenError(f"the policy must have LeakyReLU({slope}) between its layers and nothing else")
    first, second, third = layers
    shape = MLPShape(first.in_features, first.out_features, third.out_features, slope)
    tensors = {f"dense{i}.{k}": v for i, layer in enumerate(layers, 1) for k, v in layer.state_dict().items()}
    if second.in_features != second.out_features or shape.inputs != estimator.preprocessor.output_dim:
        raise ZoogenError("the policy's layers do not form n·h → hidden → hidden → n+1; give an MLP-3 of one width")
    return shape.layout.flatten(tensors).detach().to(torch.float32, copy=True)
