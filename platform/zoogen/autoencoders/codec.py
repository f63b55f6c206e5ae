"""Weights of any structure to standardised latents, and back."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from zoogen.autoencoders.base import WeightAutoencoder
from zoogen.autoencoders.batch import Membership, WeightBatch
from zoogen.autoencoders.build import build_autoencoder
from zoogen.autoencoders.config import AutoencoderConfig, AutoencoderSection
from zoogen.config import parse_config
from zoogen.errors import DamagedError
from zoogen.seeds import seeded_generator
from zoogen.training.state import build_and_load
from zoogen.weights.packing import pack, prefixed, section, unpack
from zoogen.weights.scaling import WeightScaler
from zoogen.weights.target import Target

_KIND = "autoencoder"
_NETWORKS = 256  # most networks per pass: bounds memory
_NUMBERS = 2**28  # most numbers (1 GiB) that a pass holds, about


@dataclass
class WeightCodec:
    """Scaler, autoencoder and standardisation of its latents in one.

    Weights are scaled and encoded; latents are standardised per dimension by the mean and standard deviation over the
    training checkpoints, so that a generator sees unit scale. Decoding does the reverse.

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
        notices: one line each on what a reader of the figures should know.
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
    notices: tuple[str, ...] = ()

    @property
    def latent(self) -> int:
        """Latent length L."""
        return self.autoencoder.latent

    def row_length(self, target: Target) -> int:
        """Numbers that one network of a structure is decoded as, padding included."""
        return self.autoencoder.row_length([target])

    def to(self, device: str | torch.device) -> "WeightCodec":
        """Move to a device, in place."""
        self.autoencoder.to(device)
        self.latent_mean, self.latent_std = self.latent_mean.to(device), self.latent_std.to(device)
        return self

    def batch(self, target: Target, weights: Tensor) -> WeightBatch:
        """Weights [R, D] as the autoencoder sees them.

        Raises:
            ZoogenError: the structure does not fit.
        """
        self.require_fits(target)
        return WeightBatch.of(target, self.scaler.scale(target.layout, weights))

    @torch.no_grad()
    def encode(self, target: Target, weights: Tensor) -> Tensor:
        """Weights [R, D] to standardised latents [R, L], on the codec's device; the posterior's means if variational.

        Raises:
            ZoogenError: the structure does not fit.
        """
        device = self.latent_mean.device
        with _evaluating(self.autoencoder):
            passes = weights.split(self.networks_per_pass(target))
            latents = torch.cat([self.autoencoder.encode(self.batch(target, part.to(device))) for part in passes])
        return (latents - self.latent_mean) / self.latent_std

    def decode(self, target: Target, latents: Tensor) -> Tensor:
        """Standardised latents [R, L] to weights [R, D], on the codec's device.

        Raises:
            ZoogenError: the structure does not fit.
        """
        return self._decode_raw(target, latents.to(self.latent_mean.device) * self.latent_std + self.latent_mean)

    def sample_prior(self, target: Target, count: int, seed: int) -> Tensor:
        """Weights [count, D] of latents that the autoencoder alone says are likely, on the codec's device.

        A variational autoencoder's own latents are standard normal; of others the standardised ones are taken to be.

        Raises:
            ZoogenError: the structure does not fit.
        """
        latents = torch.randn(count, self.latent, generator=seeded_generator(seed))
        if self.autoencoder.variational:
            return self._decode_raw(target, latents.to(self.latent_mean.device))
        return self.decode(target, latents)

    def networks_per_pass(self, target: Target) -> int:
        """How many networks of a structure are encoded or decoded at once."""
        return max(1, min(_NETWORKS, _NUMBERS // self.autoencoder.numbers_held(target)))

    @torch.no_grad()
    def _decode_raw(self, target: Target, latents: Tensor) -> Tensor:
        """The autoencoder's own latents [R, L] to weights [R, D]."""
        self.require_fits(target)
        with _evaluating(self.autoencoder):
            passes = latents.split(self.networks_per_pass(target))
            memberships = [Membership.of(target, len(part), part.device) for part in passes]
            decoded = [self.autoencoder.decode(*part) for part in zip(passes, memberships, strict=True)]
        scaled = torch.cat([batch.weights for batch in decoded])
        return self.scaler.unscale(target.layout, scaled)

    def require_fits(self, target: Target) -> None:
        """Raises:
        ZoogenError: networks of this structure can be neither encoded nor decoded.
        """
        self.autoencoder.require_fits(target)

    def to_bytes(self) -> bytes:
        """Safetensors with JSON metadata."""
        tensors = prefixed("autoencoder", self.autoencoder.state_dict())
        tensors |= prefixed("scaler", self.scaler.tensors)
        tensors |= {"latent_mean": self.latent_mean, "latent_std": self.latent_std}
        return pack(_KIND, tensors, self._metadata())

    @classmethod
    def from_bytes(cls, data: bytes) -> "WeightCodec":
        """The codec of a byte string made by `to_bytes`, on the CPU.

        Raises:
            DamagedError: damaged data, or data of another kind.
        """
        tensors, metadata = unpack(_KIND, data)
        try:
            config = parse_config(AutoencoderSection, {_KIND: metadata["config"]}, "autoencoder artifact").autoencoder
            parameters = section("autoencoder", tensors)
            autoencoder = build_and_load(lambda: build_autoencoder(config, metadata), parameters, _KIND)
            return cls(
                config=config,
                scaler=WeightScaler.from_state(metadata["scaler"], section("scaler", tensors)),
                autoencoder=autoencoder.eval(),
                latent_mean=tensors["latent_mean"],
                latent_std=tensors["latent_std"],
                figures=metadata["figures"],
                history=metadata["history"],
                seconds=metadata["seconds"],
                digest=metadata["digest"],
                notices=tuple(metadata.get("notices", ())),
            )
        except DamagedError:
            raise
        except Exception as error:  # entries of another form
            raise DamagedError(f"{type(error).__name__}: {error}", f"the {_KIND}") from None

    def _metadata(self) -> dict[str, Any]:
        return {
            "config": self.config.model_dump(mode="json"),
            **self.autoencoder.shape,
            "scaler": self.scaler.to_state(),
            "figures": dict(self.figures),
            "history": [dict(figures) for figures in self.history],
            "seconds": self.seconds,
            "digest": self.digest,
            "notices": list(self.notices),
        }


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode, in which batch normalisation neither looks at the batch nor learns from it; put back after."""
    training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(training)
