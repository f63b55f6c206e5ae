"""The error of an autoencoder on validation runs while it is trained."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from zoogen.autoencoders.codec import WeightCodec
from zoogen.autoencoders.config import AutoencoderConfig
from zoogen.autoencoders.reconstruction import reconstruction_figures
from zoogen.autoencoders.train import AutoencoderObjective
from zoogen.training.hooks import Figures, LocalHooks
from zoogen.weights.scaling import WeightScaler
from zoogen.zoo.read import CheckpointSet

VALIDATION_ERROR = "validation/error"


@dataclass
class ValidatingHooks(LocalHooks):
    """Adds `validation/error` to the figures of an autoencoder's training: the mean over structures of the relative
    reconstruction error (`reconstruction_figures`) of the present parameters. The training itself stays the same.
    """

    config: AutoencoderConfig = field(kw_only=True)
    train: Sequence[CheckpointSet] = field(kw_only=True)
    validation: Sequence[CheckpointSet] = field(kw_only=True)
    _codec: WeightCodec | None = field(default=None, init=False)

    def wrap(self, module: nn.Module) -> nn.Module:
        if isinstance(module, AutoencoderObjective):
            scaler = WeightScaler.fit(self.config.scaling, [(s.target.layout, s.weights) for s in self.train])
            latent, device = module.autoencoder.latent, next(module.parameters()).device
            plain = torch.zeros(latent, device=device), torch.ones(latent, device=device)
            self._codec = WeightCodec(self.config, scaler, module.autoencoder, *plain)
        return super().wrap(module)

    def on_log(self, step: int, total: int, figures: Figures) -> None:
        if self._codec is not None:
            errors = reconstruction_figures(self._codec, self.validation, "validation")
            figures = {**figures, **validation_error(errors)}
        super().on_log(step, total, figures)


def validation_error(figures: Figures) -> dict[str, float]:
    """The mean of `validation/<label>/error` over structures as `validation/error`; nothing without such figures."""
    found = [value for name, value in figures.items() if name.startswith("validation/") and name.endswith("/error")]
    return {VALIDATION_ERROR: sum(found) / len(found)} if found else {}
