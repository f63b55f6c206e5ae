"""Autoencoders that see networks as vectors of one length: structures are padded to it and cut from it."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from zoogen.autoencoders.base import ReconstructionLoss, WeightAutoencoder, noise_like
from zoogen.autoencoders.batch import Membership, WeightBatch
from zoogen.errors import ZoogenError
from zoogen.weights.target import Target


@dataclass(frozen=True, eq=False)
class VectorLoss:
    """As `ReconstructionLoss`, with decoded vectors [B, P]."""

    error: Tensor
    decoded: Tensor | None
    penalty: Tensor | None = None
    figures: Mapping[str, Tensor] = field(default_factory=dict)


class FlatAutoencoder(WeightAutoencoder):
    """Maps scaled weights, zero-padded at the end to vectors [B, P], to latents [B, L] and back.

    Args:
        length: padded length P.
        latent: latent length L.
        input_noise: see `WeightAutoencoder`.
        latent_noise: see `WeightAutoencoder`.
        real_only: leave padding out of the loss.
    """

    held: ClassVar[int] = 4  # numbers per weight that one pass holds at its widest, about

    def __init__(
        self,
        length: int,
        latent: int,
        input_noise: float = 0.0,
        latent_noise: float = 0.0,
        real_only: bool = False,
    ):
        super().__init__(latent, input_noise, latent_noise)
        self.length, self.real_only = length, real_only

    @abstractmethod
    def encode_vectors(self, vectors: Tensor) -> Tensor:
        """Padded weights [B, P] to latents [B, L], without noise."""

    @abstractmethod
    def decode_vectors(self, latents: Tensor) -> Tensor:
        """Latents [B, L] to padded weights [B, P]."""

    def vector_loss(self, vectors: Tensor, mask: Tensor | None, generator: torch.Generator) -> VectorLoss:
        """Mean squared error between clean vectors [B, P] and their reconstruction from noised vectors and latents
        (GenFlowNet §2.2, eq. 2), over the coordinates where `mask` [B, P] is 1, or over all.

        Kinds with another loss (a variational one, say) override this.
        """
        latents = self.encode_vectors(vectors + self.input_noise * noise_like(vectors, generator))
        decoded = self.decode_vectors(latents + self.latent_noise * noise_like(latents, generator))
        return VectorLoss(mean_square(decoded - vectors, mask), decoded)

    @property
    def shape(self) -> Mapping[str, int]:
        return {"length": self.length}

    def row_length(self, targets: Iterable[Target]) -> int:
        """The padded length: rows of it are vectors as they are."""
        return self.length

    def numbers_held(self, target: Target) -> int:
        return self.held * self.length

    def require_fits(self, target: Target) -> None:
        if target.layout.size > self.length:
            raise ZoogenError(
                f"structure {target.label} has {target.layout.size} weights, the autoencoder was trained for at most "
                f"{self.length}; train one with autoencoder.length >= {target.layout.size}"
            )

    def vectors(self, batch: WeightBatch) -> Tensor:
        """A batch as vectors [B, P], zero-padded at the end."""
        return functional.pad(batch.weights, (0, self.length - batch.weights.shape[1]))

    def encode(self, batch: WeightBatch) -> Tensor:
        return self.encode_vectors(self.vectors(batch))

    def decode(self, latents: Tensor, membership: Membership) -> WeightBatch:
        return WeightBatch(membership, self._cut(self.decode_vectors(latents), membership))

    def loss(self, batch: WeightBatch, generator: torch.Generator) -> ReconstructionLoss:
        vectors = self.vectors(batch)
        mask = batch.membership.mask(self.length).to(vectors.dtype) if self.real_only else None
        loss = self.vector_loss(vectors, mask, generator)
        decoded = None if loss.decoded is None else batch.with_weights(loss.decoded)
        return ReconstructionLoss(loss.error, loss.penalty, loss.figures, decoded)

    def _cut(self, vectors: Tensor, membership: Membership) -> Tensor:
        """Decoded vectors [B, P] without what lies behind a network's own weights."""
        if len(membership.targets) == 1:
            return vectors[:, : membership.targets[0].layout.size]
        return torch.where(membership.mask(self.length), vectors, 0.0)


def mean_square(error: Tensor, mask: Tensor | None) -> Tensor:
    """Mean of the squares of an error [B, P], where `mask` [B, P] is 1 if there is one."""
    if mask is None:
        return error.square().mean()
    return (error.square() * mask).sum() / mask.sum()
