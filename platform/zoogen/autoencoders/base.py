"""The contract of autoencoders of padded flat weights."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn

LossAndFigures = tuple[Tensor, Mapping[str, Tensor]]


class WeightAutoencoder(nn.Module, ABC):
    """Maps scaled, padded weights [B, P] to latents [B, L] and back.

    Args:
        length: padded length P.
        latent: latent length L.
        input_noise: standard deviation of Gaussian noise on the weights in training.
        latent_noise: standard deviation of Gaussian noise on the latents in training.
    """

    def __init__(self, length: int, latent: int, input_noise: float, latent_noise: float):
        super().__init__()
        self.length, self.latent = length, latent
        self.input_noise, self.latent_noise = input_noise, latent_noise

    @abstractmethod
    def encode(self, weights: Tensor) -> Tensor:
        """Weights [B, P] to latents [B, L], without noise."""

    @abstractmethod
    def decode(self, latents: Tensor) -> Tensor:
        """Latents [B, L] to weights [B, P]."""

    def loss(self, weights: Tensor, mask: Tensor | None, generator: torch.Generator) -> LossAndFigures:
        """Mean squared error between clean weights [B, P] and their reconstruction from noised weights and latents
        (GenFlowNet §2.2, eq. 2), over the coordinates where `mask` [B, P] is 1, or over all.

        Kinds with another loss (a variational one, say) override this.
        """
        latents = self.encode(weights + self.input_noise * _noise_like(weights, generator))
        error = self.decode(latents + self.latent_noise * _noise_like(latents, generator)) - weights
        if mask is None:
            return error.square().mean(), {}
        return (error.square() * mask).sum() / mask.sum(), {}


def _noise_like(tensor: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(tensor.shape, generator=generator, device=tensor.device, dtype=tensor.dtype)
