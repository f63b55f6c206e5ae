"""Small ResNets and vision transformers, with the outputs of their blocks; built offline from a configuration.

They stand beside the policies whose weights are generated: GenFlowNet compares layers (Figure 6) and sizes (Table 7).
"""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from zoogen.networks.classifiers.published import their_resnet, their_vit
from zoogen.networks.vision_config import ResnetConfig, VisionNetConfig

RESNET_18 = ResnetConfig()
RESNET_34 = ResnetConfig(depths=(3, 4, 6, 3))


def build_vision_net(config: VisionNetConfig, *, size: int, channels: int, classes: int) -> nn.Module:
    """An untrained classifier of images [B, channels, size, size]; initial weights come from torch's generator."""
    net: nn.Module
    if isinstance(config, ResnetConfig):
        net = their_resnet(config.depths, config.widths, channels, classes, stem=config.widths[0])
    else:
        net = their_vit(config.width, config.layers, config.heads, channels, size, classes, patch=config.patch)
    return net


def blocks_of(net: nn.Module) -> dict[str, nn.Module]:
    """The residual blocks in their order: `stage.block` of a ResNet, `layer` of a transformer, from 1."""
    inner: Any = net
    if hasattr(net, "vit"):
        return {f"{index}": layer for index, layer in enumerate(inner.vit.layers, 1)}
    stages = enumerate(inner.resnet.encoder.stages, 1)
    return {f"{s}.{b}": block for s, stage in stages for b, block in enumerate(stage.layers, 1)}


@torch.no_grad()
def block_outputs(net: nn.Module, images: Tensor) -> Mapping[str, Tensor]:
    """Output of every block on images [n, C, S, S], averaged over positions or tokens: block to [n, width].

    The network is put into evaluation mode.
    """
    found: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            values = output[0] if isinstance(output, tuple) else output
            found[name] = values.mean((2, 3)) if values.ndim == 4 else values.mean(1)

        return hook

    net.eval()
    with ExitStack() as stack:
        for name, block in blocks_of(net).items():
            stack.callback(block.register_forward_hook(keep(name)).remove)
        net(images)
    return found
