"""The Conv1d autoencoder of p-diff's public code (second version)."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import ClassVar

from torch import nn

from zoogen.autoencoders.config import Reconstructed
from zoogen.autoencoders.convolutional import ConvolutionalAutoencoder
from zoogen.errors import ZoogenError

KERNEL, STRIDE = 7, 2


class PDiffAutoencoder(ConvolutionalAutoencoder):
    """Five strided convolutions with batch normalisation, a linear map to the latent vector, and the mirror image.

    Encoder layer: Conv1d (kernel 7, stride 2, padding 3), BatchNorm, LeakyReLU. Decoder layer: ConvTranspose1d of the
    mirrored shape after an ELU of its input, so that the last layer's output is free. Where the code leaves a choice
    open in our sources (normalisation in the decoder), the plain one is taken.

    Args:
        length: padded length P, a multiple of 2 ** layers.
        latent: latent length L.
        channels: output channels of the encoder's layers.
        input_noise: see `WeightAutoencoder`.
        latent_noise: see `WeightAutoencoder`.
        reconstructed: `clean` as in the paper (eq. 3), `noised` as in the code.
        kl: see `ConvolutionalAutoencoder`.
        real_only: see `FlatAutoencoder`.
    """

    held: ClassVar[int] = 128  # 64 channels at half the length, several times

    def __init__(
        self,
        length: int,
        latent: int,
        channels: Sequence[int],
        input_noise: float,
        latent_noise: float,
        reconstructed: Reconstructed = "clean",
        kl: float | None = None,
        real_only: bool = False,
    ):
        factor, widths = STRIDE ** len(channels), [1, *channels]
        if length % factor:
            raise ZoogenError(f"padded length {length} is no multiple of {factor}; round it up")
        super().__init__(
            length,
            latent,
            input_noise,
            latent_noise,
            inner=(channels[-1], length // factor),
            encoder=partial(_encoder, widths),
            decoder=partial(_decoder, widths[::-1]),
            kl=kl,
            reconstructed=reconstructed,
            real_only=real_only,
        )


def _encoder(widths: Sequence[int]) -> nn.Module:
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Conv1d(before, after, KERNEL, STRIDE, KERNEL // 2), nn.BatchNorm1d(after), nn.LeakyReLU()]
    return nn.Sequential(*layers)


def _decoder(widths: Sequence[int]) -> nn.Module:
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.ELU(), nn.ConvTranspose1d(before, after, KERNEL, STRIDE, KERNEL // 2, STRIDE - 1)]
    return nn.Sequential(*layers)
