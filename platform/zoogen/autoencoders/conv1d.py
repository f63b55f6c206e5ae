"""The Conv1d autoencoder of GenFlowNet (§2.2, §3.1)."""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from zoogen.autoencoders.base import WeightAutoencoder
from zoogen.errors import ZoogenError


class Conv1dAutoencoder(WeightAutoencoder):
    """Strided convolutions down to a short signal, a linear map to the latent vector, and the mirror image.

    The paper gives four layers and 256 latent numbers, and leaves kernels, strides, channels and the step between
    signal and vector open. Weights of a policy have no translation symmetry (a freshly initialised weight is noise
    that differs per position), so the linear map carries what belongs to a position, and the signal at the bottleneck
    should hold at least as many numbers as the padded vector for the decoder to be able to reproduce it:
    channels[-1] >= stride ** layers.

    Args:
        length: padded length P, a multiple of stride ** layers.
        latent: latent length L.
        channels: output channels of the encoder's layers.
        kernel: odd kernel width.
        stride: stride of every layer.
        latent_activation: `tanh` bounds the latents.
        input_noise: see `WeightAutoencoder`.
        latent_noise: see `WeightAutoencoder`.
    """

    def __init__(
        self,
        length: int,
        latent: int,
        channels: Sequence[int],
        kernel: int,
        stride: int,
        latent_activation: Literal["none", "tanh"],
        input_noise: float,
        latent_noise: float,
    ):
        super().__init__(length, latent, input_noise, latent_noise)
        factor = stride ** len(channels)
        if length % factor:
            raise ZoogenError(f"padded length {length} is no multiple of stride ** layers = {factor}; round it up")
        self.inner = (channels[-1], length // factor)
        widths = [1, *channels]
        encoder: list[nn.Module] = []
        for before, after in zip(widths, widths[1:], strict=False):
            encoder += [nn.Conv1d(before, after, kernel, stride, kernel // 2), nn.LeakyReLU()]
        self.encoder = nn.Sequential(*encoder)
        self.to_latent = nn.Linear(self.inner[0] * self.inner[1], latent)
        self.squash: nn.Module = nn.Tanh() if latent_activation == "tanh" else nn.Identity()
        self.from_latent = nn.Linear(latent, self.inner[0] * self.inner[1])
        decoder: list[nn.Module] = []
        for before, after in zip(widths[:0:-1], widths[-2::-1], strict=True):
            decoder += [nn.LeakyReLU(), nn.ConvTranspose1d(before, after, kernel, stride, kernel // 2, stride - 1)]
        self.decoder = nn.Sequential(*decoder)

    def encode(self, weights: Tensor) -> Tensor:
        return self.squash(self.to_latent(self.encoder(weights.unsqueeze(1)).flatten(1)))

    def decode(self, latents: Tensor) -> Tensor:
        return self.decoder(self.from_latent(latents).unflatten(1, self.inner)).squeeze(1)

