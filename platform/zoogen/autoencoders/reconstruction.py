"""How well a codec reproduces checkpoints."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from zoogen.autoencoders.codec import WeightCodec
from zoogen.zoo.read import CheckpointSet


def reconstruction_figures(codec: WeightCodec, sets: Sequence[CheckpointSet], split: str) -> dict[str, float]:
    """Errors of decode(encode(w)) by `<split>/<label>/<figure>`.

    `error` is the root mean squared error over the root mean square deviation of the weights from the mean of the
    whole vector: relative to the scale of the weights. `spread_error` is relative to the deviation from the
    structure's mean checkpoint: 1 is what knowing only that mean gives, and above 1 is worse than it.
    """
    figures = {}
    for checkpoints in sets:
        weights = checkpoints.weights
        if not len(weights):
            continue
        mean, mean_checkpoint = weights.mean(), weights.mean(0)
        error = scale = spread = 0.0
        for part in weights.split(
            codec.networks_per_pass(checkpoints.target)
        ):  # long vectors are too many to hold several times
            again = codec.decode(checkpoints.target, codec.encode(checkpoints.target, part)).cpu()
            error += _squares(again - part)
            scale += _squares(part - mean)
            spread += _squares(part - mean_checkpoint)
        prefix = f"{split}/{checkpoints.target.label}"
        figures[f"{prefix}/error"] = (error / scale) ** 0.5 if scale > 0 else math.nan
        if spread > 0:
            figures[f"{prefix}/spread_error"] = (error / spread) ** 0.5
    return figures


def _squares(values: Tensor) -> float:
    """Sum of squares in double precision."""
    return values.square().sum(dtype=torch.float64).item()
