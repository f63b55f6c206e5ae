"""Outputs of the layers of many classifiers at once."""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from zoogen.tasks.images.features import whole_network


def layer_outputs(module: nn.Module, tensors: Mapping[str, Tensor], images: Tensor) -> dict[str, Tensor]:
    """Outputs of every linear layer and convolution, before normalisation and activation, in the order of execution.

    Args:
        module: in evaluation mode; what `tensors` lacks is its own.
        tensors: [K, ...] by name.
        images: [n, C, S, S] on the module's device.

    Returns:
        Layer to [K, n, width], means over positions or tokens; of the last call where a layer runs repeatedly.
    """
    seen: dict[str, Tensor] = {}

    def watch(name: str) -> Any:
        def hook(layer: nn.Module, _inputs: Any, output: Tensor) -> None:
            channels_first = isinstance(layer, _ConvNd)
            positions = tuple(range(2, output.ndim)) if channels_first else tuple(range(1, output.ndim - 1))
            seen[name] = output.mean(positions) if positions else output

        return hook

    shown = whole_network(module, images, str(images.device))
    shown.batches(tensors)  # tries networks out, which must not be watched
    with ExitStack() as stack:
        for name, layer in module.named_modules():
            if isinstance(layer, nn.Linear | _ConvNd):
                stack.callback(layer.register_forward_hook(watch(name)).remove)
        return shown.of_networks(lambda _logits: dict(seen), tensors, torch.arange(len(images), device=images.device))
