"""Weights of any structure to standardised latents, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from zoogen.autoencoders.base import WeightAutoencoder
from zoogen.autoencoders.build import build_autoencoder
from zoogen.autoencoders.config import AutoencoderConfig
from zoogen.config import parse_config
from zoogen.errors import ZoogenError
from zoogen.training.packing import pack, prefixed, section, unpack
from zoogen.training.state import load_module
from zoogen.weights.scaling import WeightScaler
from zoogen.weights.target import Target

_KIND = "autoencoder"
_CHUNK = 256  # networks per pass: bounds memory, and does not change results


@dataclass
class WeightCodec:
    """Scaler, padding, autoencoder and standardisation of its latents in one.

    Weights are scaled, zero-padded at the end to the autoencoder's length and encoded; latents are standardised per
    dimension by the mean and standard deviation over the training checkpoints, so that a generator sees unit scale.
    Decoding does the reverse and cuts to the structure's length.

    Attributes:
        config: configuration that made it.
        scaler: scaling of the weights.
        autoencoder: the trained network.
        latent_mean: [L].
        latent_std: [L].
        figures: reconstruction figures by name (see `reconstruction.reconstruction_figures`).
        history: logged figures of the training.
        seconds: training time.
        digest: identity of the artifact.
    """

    config: AutoencoderConfig
    scaler: WeightScaler
    autoencoder: WeightAutoencoder
    latent_mean: Tensor
    latent_std: Tensor
    figures: Mapping[str, float] = field(default_factory=dict)
    history: Sequence[Mapping[str, float]] = ()
    seconds: float = 0.0
    digest: str = ""

    @property
    def latent(self) -> int:
        """Latent length L."""
        return self.autoencoder.latent

    @property
    def length(self) -> int:
        """Padded length P: the largest number of weights that fit."""
        return self.autoencoder.length

    def to(self, device: str | torch.device) -> "WeightCodec":
        """Move to a device, in place."""
        self.autoencoder.to(device)
        self.latent_mean, self.latent_std = self.latent_mean.to(device), self.latent_std.to(device)
        return self

    def pad(self, target: Target, weights: Tensor) -> Tensor:
        """Weights [R, D] to scaled, padded weights [R, P].

        Raises:
            ZoogenError: the structure does not fit.
        """
        self.require_fits(target)
        scaled = self.scaler.scale(target.layout, weights)
        return functional.pad(scaled, (0, self.length - target.layout.size))

    @torch.no_grad()
    def encode(self, target: Target, weights: Tensor) -> Tensor:
        """Weights [R, D] to standardised latents [R, L], on the codec's device.

        Raises:
            ZoogenError: the structure does not fit.
        """
        device = self.latent_mean.device
        chunks = [self.autoencoder.encode(self.pad(target, c.to(device))) for c in weights.split(_CHUNK)]
        return (torch.cat(chunks) - self.latent_mean) / self.latent_std

    @torch.no_grad()
    def decode(self, target: Target, latents: Tensor) -> Tensor:
        """Standardised latents [R, L] to weights [R, D], on the codec's device.

        Raises:
            ZoogenError: the structure does not fit.
        """
        self.require_fits(target)
        raw = latents.to(self.latent_mean.device) * self.latent_std + self.latent_mean
        chunks = [self.autoencoder.decode(chunk)[:, : target.layout.size] for chunk in raw.split(_CHUNK)]
        return self.scaler.unscale(target.layout, torch.cat(chunks))

    def require_fits(self, target: Target) -> None:
        """Raises:
        ZoogenError: the structure has more weights than the padded length.
        """
        if target.layout.size > self.length:
            raise ZoogenError(
                f"structure {target.label} has {target.layout.size} weights, the autoencoder was trained for at most "
                f"{self.length}; train one with autoencoder.length >= {target.layout.size}"
            )

    def to_bytes(self) -> bytes:
        """Safetensors with JSON metadata."""
        tensors = prefixed("autoencoder", self.autoencoder.state_dict())
        tensors |= {"latent_mean": self.latent_mean, "latent_std": self.latent_std}
        return pack(_KIND, tensors, self._metadata())

    @classmethod
    def from_bytes(cls, data: bytes) -> "WeightCodec":
        """The codec of a byte string made by `to_bytes`, on the CPU.

        Raises:
            ZoogenError: damaged data, or data of another kind.
        """
        tensors, metadata = unpack(_KIND, data)
        try:
            config = parse_config(AutoencoderConfig, metadata["config"], "autoencoder artifact")
            autoencoder = build_autoencoder(config, int(metadata["length"]))
            load_module(autoencoder, section("autoencoder", tensors), _KIND)
            return cls(
                config=config,
                scaler=WeightScaler.from_state(metadata["scaler"]),
                autoencoder=autoencoder.eval(),
                latent_mean=tensors["latent_mean"],
                latent_std=tensors["latent_std"],
                figures=metadata["figures"],
                history=metadata["history"],
                seconds=metadata["seconds"],
                digest=metadata["digest"],
            )
        except (KeyError, TypeError, ValueError):
            raise ZoogenError(f"damaged {_KIND} artifact: entries are missing; delete it and make it again") from None

    def _metadata(self) -> dict[str, Any]:
        return {
            "config": self.config.model_dump(mode="json"),
            "length": self.length,
            "scaler": self.scaler.to_state(),
            "figures": dict(self.figures),
            "history": [dict(figures) for figures in self.history],
            "seconds": self.seconds,
            "digest": self.digest,
        }
