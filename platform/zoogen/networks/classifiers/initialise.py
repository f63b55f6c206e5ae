"""Initial weights by name: what a comparison of initialisations hangs on (FLoWN Table 3)."""

import torch
from torch import nn

from zoogen.identity import derive_seed
from zoogen.networks.classifiers.config import Initialisation
from zoogen.seeds import seeded

_UNIFORM01_BIAS = 0.01  # as the zoos of MNIST and Fashion-MNIST were started that FLoWN's Table 3 begins from


@torch.no_grad()
def initialise(module: nn.Module, kind: Initialisation, seed: int) -> None:
    """Draw weights and biases of linear layers and convolutions anew; all else, normalisation above all, stays.

    Args:
        module: changed in place; `torch` leaves it as it was built.
        kind: He et al. 2015 for rectifiers with biases 0 (`kaiming-*`); or weights from U(0, 1) and biases .01, with
            which training hardly begins.
        seed: decides the weights.
    """
    if kind == "torch":
        return
    with seeded(derive_seed("initialisation", kind, seed)):
        for layer in module.modules():
            if isinstance(layer, nn.Linear | nn.modules.conv._ConvNd):
                _draw(layer.weight, kind)
                if layer.bias is not None:
                    nn.init.constant_(layer.bias, _UNIFORM01_BIAS if kind == "uniform01" else 0.0)


def _draw(weight: torch.Tensor, kind: Initialisation) -> None:
    match kind:
        case "kaiming-uniform":
            nn.init.kaiming_uniform_(weight, nonlinearity="relu")
        case "kaiming-normal":
            nn.init.kaiming_normal_(weight, nonlinearity="relu")
        case "uniform01":
            nn.init.uniform_(weight)
