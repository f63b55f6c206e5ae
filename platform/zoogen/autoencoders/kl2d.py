"""A variational autoencoder of weights laid out as an image (Soro et al. 2025, D2NWG; FLoWN A.3)."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from zoogen.autoencoders.base import noise_like
from zoogen.autoencoders.convolutional import LOG_VARIANCES, kl_from_standard_normal
from zoogen.autoencoders.flat import FlatAutoencoder, VectorLoss
from zoogen.errors import ZoogenError

LATENT_CHANNELS = 4
_GROUPS = 2  # of the normalisations
_SQUARED = 1000.0  # weight of the mean squared error beside the summed absolute one (loss d2nwg)

Loss2d = Literal["mse", "d2nwg"]


class Kl2dAutoencoder(FlatAutoencoder):
    """The vector [P] as C chunks; a linear layer makes an image [1, m, m] of each, a residual network a posterior over
    latents [4, h, h] of it, h = m / 2^(levels - 1); the way back mirrors it. Chunks share all parameters: L = 4 C h².

    loss = error + kl * KL(posterior || N(0, I)), KL in nats, summed over the latent numbers and averaged over the
    batch. The error is the mean square, or with `d2nwg` that times 1000 plus the sum of absolute errors per network.

    Args:
        length: padded length P, a multiple of the chunk.
        chunk: weights per chunk; None for one chunk of all.
        map_: edge m of the image.
        channels: features at full size.
        multipliers: of the channels, one per level.
        blocks: residual blocks per level.
        kl: weight of the divergence.
        loss: which error.
        input_noise: see `WeightAutoencoder`.
        latent_noise: see `WeightAutoencoder`; beside what the posterior spreads.
        real_only: see `FlatAutoencoder`.
    """

    held: ClassVar[int] = 32

    def __init__(
        self,
        length: int,
        chunk: int | None,
        map_: int,
        channels: int,
        multipliers: Sequence[int],
        blocks: int,
        kl: float,
        loss: Loss2d,
        input_noise: float,
        latent_noise: float,
        real_only: bool = False,
    ):
        chunk = chunk or length
        if length % chunk:
            raise ZoogenError(f"padded length {length} is no multiple of the chunk {chunk}; round it up")
        edge = map_ // 2 ** (len(multipliers) - 1)
        super().__init__(length, length // chunk * LATENT_CHANNELS * edge**2, input_noise, latent_noise, real_only)
        self.chunk, self.map, self.edge, self.kl, self.kind = chunk, map_, edge, kl, loss
        widths = [channels * m for m in multipliers]
        self.to_map = nn.Linear(chunk, map_**2)
        self.encoder = _encoder(widths, blocks)
        self.decoder = _decoder(widths, blocks)
        self.from_map = nn.Linear(map_**2, chunk)

    @property
    def variational(self) -> bool:
        return True

    def encode_vectors(self, vectors: Tensor) -> Tensor:
        return self.posterior(vectors)[0]

    def posterior(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Means [B, L] and logarithms of variances [B, L] of the latents of vectors [B, P]."""
        images = self.to_map(vectors.reshape(-1, self.chunk)).view(-1, 1, self.map, self.map)
        mean, log_variance = self.encoder(images).chunk(2, dim=1)
        rows = (len(vectors), self.latent)
        return mean.reshape(rows), log_variance.reshape(rows).clamp(*LOG_VARIANCES)

    def decode_vectors(self, latents: Tensor) -> Tensor:
        images = self.decoder(latents.reshape(-1, LATENT_CHANNELS, self.edge, self.edge))
        return self.from_map(images.flatten(1)).view(len(latents), self.length)

    def vector_loss(self, vectors: Tensor, mask: Tensor | None, generator: torch.Generator) -> VectorLoss:
        mean, log_variance = self.posterior(vectors + self.input_noise * noise_like(vectors, generator))
        latents = mean + (log_variance / 2).exp() * noise_like(mean, generator)
        decoded = self.decode_vectors(latents + self.latent_noise * noise_like(latents, generator))
        wrong = decoded - vectors
        counted = torch.ones_like(wrong) if mask is None else mask
        squared = (wrong.square() * counted).sum() / counted.sum()
        divergence = kl_from_standard_normal(mean, log_variance).mean()
        error = squared
        if self.kind == "d2nwg":
            error = (wrong.abs() * counted).sum() / len(vectors) + _SQUARED * squared
        return VectorLoss(error, decoded, self.kl * divergence, {"error": squared, "kl": divergence})


class ResidualBlock(nn.Module):
    """Two normalised 3 × 3 convolutions around a shortcut: [B, A, H, W] to [B, C, H, W]."""

    def __init__(self, before: int, after: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.GroupNorm(_GROUPS, before), nn.SiLU(), nn.Conv2d(before, after, 3, padding=1),
            nn.GroupNorm(_GROUPS, after), nn.SiLU(), nn.Conv2d(after, after, 3, padding=1),
        )  # fmt: skip
        self.shortcut = nn.Identity() if before == after else nn.Conv2d(before, after, 1)

    def forward(self, images: Tensor) -> Tensor:
        changed: Tensor = self.shortcut(images) + self.layers(images)
        return changed


def _level(before: int, after: int, blocks: int) -> list[nn.Module]:
    return [ResidualBlock(before if block == 0 else after, after) for block in range(blocks)]


def _encoder(widths: Sequence[int], blocks: int) -> nn.Sequential:
    """Images [B, 1, m, m] to means and logarithms of variances [B, 8, h, h]."""
    layers: list[nn.Module] = [nn.Conv2d(1, widths[0], 3, padding=1)]
    for level, width in enumerate(widths):
        if level:
            layers.append(nn.Conv2d(widths[level - 1], widths[level - 1], 3, stride=2, padding=1))
        layers += _level(widths[max(0, level - 1)], width, blocks)
    return nn.Sequential(
        *layers, nn.GroupNorm(_GROUPS, widths[-1]), nn.SiLU(), nn.Conv2d(widths[-1], 2 * LATENT_CHANNELS, 3, padding=1)
    )


def _decoder(widths: Sequence[int], blocks: int) -> nn.Sequential:
    """Latents [B, 4, h, h] to images [B, 1, m, m]."""
    layers: list[nn.Module] = [nn.Conv2d(LATENT_CHANNELS, widths[-1], 3, padding=1)]
    for level in reversed(range(len(widths))):
        layers += _level(widths[min(level + 1, len(widths) - 1)], widths[level], blocks)
        if level:
            layers += [nn.Upsample(scale_factor=2), nn.Conv2d(widths[level], widths[level], 3, padding=1)]
    return nn.Sequential(*layers, nn.GroupNorm(_GROUPS, widths[0]), nn.SiLU(), nn.Conv2d(widths[0], 1, 3, padding=1))
