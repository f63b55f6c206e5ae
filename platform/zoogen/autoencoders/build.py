"""From configuration to autoencoder."""

from collections.abc import Iterable, Mapping

from zoogen.autoencoders.base import WeightAutoencoder
from zoogen.autoencoders.chunked import ChunkedAutoencoder
from zoogen.autoencoders.config import (
    AutoencoderConfig,
    ChunkedAutoencoderConfig,
    FlatBase,
    Kl2dAutoencoderConfig,
    LinearAutoencoderConfig,
    PDiffAutoencoderConfig,
    TokenAutoencoderConfig,
)
from zoogen.autoencoders.conv1d import Conv1dAutoencoder
from zoogen.autoencoders.kl2d import Kl2dAutoencoder
from zoogen.autoencoders.linear import LinearAutoencoder
from zoogen.autoencoders.pdiff import PDiffAutoencoder
from zoogen.autoencoders.tokens import TokenAutoencoder
from zoogen.errors import ZoogenError
from zoogen.weights.target import Target


def padded_length(config: FlatBase, targets: Iterable[Target]) -> int:
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


def shape_for(config: AutoencoderConfig, targets: Iterable[Target]) -> Mapping[str, int]:
    """What an autoencoder of these structures needs beside its configuration (`WeightAutoencoder.shape`).

    Raises:
        ZoogenError: as `padded_length`.
    """
    if isinstance(config, TokenAutoencoderConfig):
        tokens = next(iter(targets)).tokens()
        return {"features": tokens.features.shape[1], "numbers": tokens.width}
    return {"length": padded_length(config, targets)}


def build_autoencoder(config: AutoencoderConfig, shape: Mapping[str, int]) -> WeightAutoencoder:
    """An untrained autoencoder of a shape (`shape_for`); its initial parameters come from torch's global generator."""
    if isinstance(config, TokenAutoencoderConfig):
        return TokenAutoencoder(
            features=shape["features"],
            numbers=shape["numbers"],
            latent=config.latent,
            width=config.width,
            blocks=config.blocks,
            kl=config.kl,
            input_noise=config.input_noise,
            latent_noise=config.latent_noise,
        )
    length = shape["length"]
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
            real_only=config.loss_over == "real",
        )
    if isinstance(config, Kl2dAutoencoderConfig):
        return Kl2dAutoencoder(
            length=length,
            chunk=config.chunk,
            map_=config.map,
            channels=config.channels,
            multipliers=config.multipliers,
            blocks=config.blocks,
            kl=config.kl,
            loss=config.loss,
            input_noise=config.input_noise,
            latent_noise=config.latent_noise,
            real_only=config.loss_over == "real",
        )
    if isinstance(config, PDiffAutoencoderConfig):
        return PDiffAutoencoder(
            length=length,
            latent=config.latent,
            channels=config.channels,
            input_noise=config.input_noise,
            latent_noise=config.latent_noise,
            real_only=config.loss_over == "real",
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
        real_only=config.loss_over == "real",
    )
