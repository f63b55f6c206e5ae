"""The part of an autoencoder's loss that looks at what networks do."""

import torch
from torch import Tensor

from zoogen.autoencoders.batch import WeightBatch
from zoogen.teaching.probes import Probes
from zoogen.weights.scaling import WeightScaler


class BehaviourLoss:
    """KL of what decoded networks choose from what the originals choose, mean over networks and inputs, in nats.

    Args:
        probes: inputs of every structure.
        scaler: scaling of the weights in batches.
        inputs: inputs per structure and batch, drawn anew.
    """

    def __init__(self, probes: Probes, scaler: WeightScaler, inputs: int):
        self.probes, self.scaler, self.inputs = probes, scaler, inputs

    @torch.compiler.disable  # tasks' networks are small, and many: to compile them takes longer than they do
    def __call__(self, originals: WeightBatch, decoded: WeightBatch, generator: torch.Generator) -> Tensor:
        device = originals.weights.device.type
        with torch.autocast(device, enabled=False):
            divergences = [
                self.probes.divergences(
                    target.structure,
                    self.scaler.unscale(target.layout, before),
                    self.scaler.unscale(target.layout, after.to(before.dtype)),
                    self.inputs,
                    generator,
                )
                for (target, _, before), (_, _, after) in zip(originals.parts(), decoded.parts(), strict=True)
            ]
        return torch.cat(divergences).mean()
