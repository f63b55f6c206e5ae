"""How many parameters networks have (GenFlowNet, Table 7)."""

import torch
from torch import nn

from zoogen.networks.vision import VisionNetConfig, build_vision_net
from zoogen.weights.layout import ParameterLayout


def parameter_count(module: nn.Module) -> int:
    """Number of learnt parameters; buffers such as running statistics are not counted."""
    return sum(parameter.numel() for parameter in module.parameters())


def vision_net_parameters(config: VisionNetConfig, *, size: int = 224, channels: int = 3, classes: int = 1000) -> int:
    """Parameters of a vision network, by default as for ImageNet; no memory is taken for them."""
    with torch.device("meta"):
        return parameter_count(build_vision_net(config, size=size, channels=channels, classes=classes))


def without_one_output(layout: ParameterLayout) -> int | None:
    """Number of weights if the last layer had one output less; None if the layout does not end in a linear layer.

    Example:
        >>> from zoogen.networks.stacked_mlp import MLPShape
        >>> layout = MLPShape(36, 32, 4).layout
        >>> layout.size, without_one_output(layout)
        (2372, 2339)
    """
    if len(layout.entries) < 2:
        return None
    weight, bias = layout.entries[-2:]
    if len(weight.shape) != 2 or bias.shape != weight.shape[:1] or weight.shape[0] < 2:
        return None
    return layout.size - weight.shape[1] - 1
