"""The contract of autoencoders of padded flat weights."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from zoogen.autoencoders.scaled_checkpoints import ScaledCheckpoints

LossAndFigures = tuple[Tensor, Mapping[str, Tensor]]


class WeightAutoencoder(nn.Module, ABC):
    """Maps scaled, padded weights [B, P] to latents [B, L] and back.

    Args:
        length: padded length P.
        latent: latent length L.
        input_noise: standard deviation of Gaussian noise on the weights in training.
        latent_noise: standard deviation of Gaussian noise on the latents in training.
    """

    held: ClassVar[int] = 4  # numbers per weight that one pass holds at its widest, about; bounds networks per pass

    def __init__(self, length: int, latent: int, input_noise: float = 0.0, latent_noise: float = 0.0):
        super().__init__()
        self.length, self.latent = length, latent
        self.input_noise, self.latent_noise = input_noise, latent_noise

    @property
    def variational(self) -> bool:
        """Whether latents follow a standard normal distribution as they are, before any standardisation."""
        return False

    @abstractmethod
    def encode(self, weights: Tensor) -> Tensor:
        """Weights [B, P] to latents [B, L], without noise."""

    @abstractmethod
    def decode(self, latents: Tensor) -> Tensor:
        """Latents [B, L] to weights [B, P]."""

    def prepare(self, rows: ScaledCheckpoints) -> Mapping[str, float]:
        """Fit what has a closed form on all training rows, on this module's device, before any iteration.

        Returns:
            Figures of the fit, `loss` among them where nothing is left to train. Nothing by default.
        """
        return {}

    def loss(self, weights: Tensor, mask: Tensor | None, generator: torch.Generator) -> LossAndFigures:
        """Mean squared error between clean weights [B, P] and their reconstruction from noised weights and latents
        (GenFlowNet §2.2, eq. 2), over the coordinates where `mask` [B, P] is 1, or over all.

        Kinds with another loss (a variational one, say) override this.
        """
        latents = self.encode(weights + self.input_noise * noise_like(weights, generator))
        error = self.decode(latents + self.latent_noise * noise_like(latents, generator)) - weights
        return mean_square(error, mask), {}


def mean_square(error: Tensor, mask: Tensor | None) -> Tensor:
    """Mean of the squares of an error [B, P], where `mask` [B, P] is 1 if there is one."""
    if mask is None:
        return error.square().mean()
    return (error.square() * mask).sum() / mask.sum()


def noise_like(tensor: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal numbers of the shape, device and precision of a tensor."""
    return torch.randn(tensor.shape, generator=generator, device=tensor.device, dtype=tensor.dtype)
