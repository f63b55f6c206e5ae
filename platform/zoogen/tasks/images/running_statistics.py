"""Running statistics of batch normalisation taken anew for every network, as `torch.optim.swa_utils.update_bn` does."""

from collections import defaultdict
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from zoogen.tasks.images.prefix import Prefix
from zoogen.tasks.images.trace import Forward, replaced

CALIBRATION_BATCH = 128  # images that are normalised together


def running_layers(module: nn.Module) -> dict[str, _BatchNorm]:
    """Layers with running statistics, by name."""
    layers = {name: layer for name, layer in module.named_modules() if isinstance(layer, _BatchNorm)}
    return {name: layer for name, layer in layers.items() if layer.running_mean is not None}


@torch.no_grad()
def recalibrated(prefix: Prefix, tensors: Mapping[str, Tensor], batch: int = CALIBRATION_BATCH) -> dict[str, Tensor]:
    """Running means and variances of K networks from all images of `prefix`, [K, C] by the module's names.

    Every layer normalises by the moments of its own batch, and the moments are averaged over batches, as with
    `momentum=None` in training mode. Layers whose outputs stand in the tables of `prefix` keep their statistics:
    nothing before them differs between the networks.

    Args:
        prefix: the module on training images.
        tensors: what the networks differ in, [K, ...] by name.
        batch: images per batch; a last one of a single image joins the one before.
    """
    layers = {name: layer for name, layer in running_layers(prefix.module).items() if name in prefix.live}
    if not layers:
        return {}
    indices = list(torch.arange(len(prefix), device=prefix.images.device).split(batch))
    if len(indices) > 1 and len(indices[-1]) == 1:
        indices[-2:] = [torch.cat(indices[-2:])]
    prefix.batches(tensors)  # tries networks out, which must not be watched
    found: dict[str, list[Tensor]] = defaultdict(list)
    for index in indices:
        for name, moments in _moments(prefix, layers, tensors, index).items():
            found[name].append(moments)
    return {name: torch.stack(values).mean(0) for name, values in found.items()}


def _moments(
    prefix: Prefix, layers: Mapping[str, _BatchNorm], tensors: Mapping[str, Tensor], index: Tensor
) -> dict[str, Tensor]:
    """Means and unbiased variances [K, C] of what every layer gets, by the names of its running statistics."""
    seen: dict[str, list[Tensor]] = {}

    def watch(name: str, layer: _BatchNorm) -> Forward:
        def forward(inputs: Tensor) -> Tensor:
            dims = [0, *range(2, inputs.ndim)]
            mean, variance = inputs.mean(dims, keepdim=True), inputs.var(dims, unbiased=False, keepdim=True)
            values = inputs.numel() // inputs.shape[1]
            seen.setdefault(f"{name}.running_mean", []).append(mean.flatten())
            seen.setdefault(f"{name}.running_var", []).append(variance.flatten() * values / (values - 1))
            normal = (inputs - mean) * (variance + layer.eps).rsqrt()
            if layer.weight is None:
                return normal
            return normal * layer.weight.view(mean.shape) + layer.bias.view(mean.shape)

        return forward

    def tell(_logits: Tensor) -> dict[str, Tensor]:
        told = {name: torch.stack(calls).mean(0) for name, calls in seen.items()}  # a shared layer runs repeatedly
        seen.clear()
        return told

    with replaced({layer: watch(name, layer) for name, layer in layers.items()}):
        return prefix.of_networks(tell, tensors, index)
