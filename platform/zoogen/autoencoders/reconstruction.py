"""How well a codec reproduces checkpoints."""

from collections.abc import Sequence

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
        error = (codec.decode(checkpoints.target, codec.encode(checkpoints.target, weights)).cpu() - weights).square()
        scale = (weights - weights.mean()).square().mean()
        prefix = f"{split}/{checkpoints.target.label}"
        figures[f"{prefix}/error"] = (error.mean() / scale).sqrt().item()
        spread = (weights - weights.mean(0)).square().mean()
        if spread > 0:
            figures[f"{prefix}/spread_error"] = (error.mean() / spread).sqrt().item()
    return figures
