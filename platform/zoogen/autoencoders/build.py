"""From configuration to autoencoder."""

from collections.abc import Iterable

from zoogen.autoencoders.base import WeightAutoencoder
from zoogen.autoencoders.chunked import ChunkedAutoencoder
from zoogen.autoencoders.config import (
    AutoencoderConfig,
    ChunkedAutoencoderConfig,
    LinearAutoencoderConfig,
    PDiffAutoencoderConfig,
)
from zoogen.autoencoders.conv1d import Conv1dAutoencoder
from zoogen.autoencoders.linear import LinearAutoencoder
from zoogen.autoencoders.pdiff import PDiffAutoencoder
from zoogen.errors import ZoogenError
from zoogen.weights.target import Target


def padded_length(config: AutoencoderConfig, targets: Iterable[Target]) -> int:
    """Length P that holds every target, rounded up to what the strides need.

    Raises:
        ZoogenError: a target is longer than the configured length, or there is none.
    """
    targets = list(targets)
    if not targets:
        raise ZoogenError("the autoencoder has no structures; give a zoo with training runs")
    longest = max(targets, key=lambda target: target.layout.size)
    length = longest.layout.size if config.length == "auto" else config.length
    if length < longest.layout.size:
        raise ZoogenError(
            f"structure {longest.label} has {longest.layout.size} weights, the autoencoder's length is {length}; "
            "raise autoencoder.length or set it to auto"
        )
    return -(-length // config.multiple) * config.multiple


def build_autoencoder(config: AutoencoderConfig, length: int) -> WeightAutoencoder:
    """An untrained autoencoder of padded length `length`; its initial parameters come from torch's global generator."""
    if isinstance(config, LinearAutoencoderConfig):
        return LinearAutoencoder(length, config.latent)
    if isinstance(config, ChunkedAutoencoderConfig):
        return ChunkedAutoencoder(
            length=length,
            chunk=config.chunk,
            tokens=config.tokens,
            basis=config.basis,
            width=config.width,
            blocks=config.blocks,
            position=config.position,
            chunks_per_step=config.chunks_per_step,
            input_noise=config.input_noise,
            latent_noise=config.latent_noise,
        )
    if isinstance(config, PDiffAutoencoderConfig):
        return PDiffAutoencoder(
            length=length,
            latent=config.latent,
            channels=config.channels,
            input_noise=config.input_noise,
            latent_noise=config.latent_noise,
            reconstructed=config.target,
            kl=config.kl,
        )
    return Conv1dAutoencoder(
        length=length,
        latent=config.latent,
        channels=config.channels,
        kernel=config.kernel,
        stride=config.stride,
        shortcut=config.shortcut,
        input_noise=config.input_noise,
        latent_noise=config.latent_noise,
        kl=config.kl,
    )
