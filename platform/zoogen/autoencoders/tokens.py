"""An autoencoder that reads and writes networks token by token, each by its coordinates."""

from collections.abc import Iterable, Mapping
from typing import cast

import torch
from torch import Tensor, nn

from zoogen.autoencoders.base import ReconstructionLoss, WeightAutoencoder, noise_like
from zoogen.autoencoders.batch import Membership, WeightBatch
from zoogen.autoencoders.convolutional import LOG_VARIANCES, kl_from_standard_normal
from zoogen.autoencoders.scaled_checkpoints import ScaledCheckpoints
from zoogen.errors import ZoogenError
from zoogen.weights.target import Target
from zoogen.weights.tokens import WeightTokens

_HELD = 8  # hidden vectors per token that one pass holds at its widest, about


class TokenAutoencoder(WeightAutoencoder):
    """Latents of one length for networks of any structure whose weights are tokens (`Target.tokens`).

    The encoder is a residual perceptron on each token's coordinates and numbers, mean and maximum over the tokens, and
    a linear map: in whatever order the tokens come, and however many there are. The decoder is a residual perceptron
    on the coordinates of one token and the latent, so that it writes structures that it never saw. Nothing knows a
    structure but by coordinates.

    The loss is the squared error averaged over the weights of each network and then over networks, so that small
    structures count as much as large ones; with `kl` the latents are those of a variational autoencoder (the weighted
    divergence from N(0, I) is added, and draws from the posterior take the place of `latent_noise`).

    Args:
        features: coordinates of a token, F.
        numbers: numbers of a token, W.
        latent: latent length L.
        width: hidden width.
        blocks: residual blocks of encoder and decoder each.
        kl: weight of the divergence; None is the plain autoencoder.
        input_noise: see `WeightAutoencoder`.
        latent_noise: see `WeightAutoencoder`.
    """

    feature_mean: Tensor
    feature_std: Tensor

    def __init__(
        self,
        features: int,
        numbers: int,
        latent: int,
        width: int,
        blocks: int,
        kl: float | None,
        input_noise: float,
        latent_noise: float,
    ):
        super().__init__(latent, input_noise, latent_noise)
        self.features, self.numbers, self.width, self.kl = features, numbers, width, kl
        self.register_buffer("feature_mean", torch.zeros(features))
        self.register_buffer("feature_std", torch.ones(features))
        self.reader = nn.Sequential(nn.Linear(features + numbers, width), *_blocks(width, blocks))
        self.to_latent = nn.Linear(2 * width, latent)
        if kl is not None:
            self.to_log_variance = nn.Linear(2 * width, latent)
        self.from_features = nn.Linear(features, width)
        self.from_latent = nn.Linear(latent, width)
        self.writer = nn.Sequential(*_blocks(width, blocks), nn.Linear(width, numbers))
        self._known: dict[Target, WeightTokens] = {}

    @property
    def variational(self) -> bool:
        return self.kl is not None

    @property
    def shape(self) -> Mapping[str, int]:
        return {"features": self.features, "numbers": self.numbers}

    def row_length(self, targets: Iterable[Target]) -> int:
        return max(target.layout.size for target in targets)

    def numbers_held(self, target: Target) -> int:
        return _HELD * self.width * len(self._tokens(target))

    def require_fits(self, target: Target) -> None:
        self._tokens(target)

    def prepare(self, rows: ScaledCheckpoints) -> Mapping[str, float]:
        """Mean and standard deviation of the coordinates over the tokens of all structures, each as often as others."""
        tokens = torch.cat([self._tokens(target).features for target in rows.targets])
        std, mean = torch.std_mean(tokens, dim=0, correction=0)
        self.feature_mean.copy_(mean)
        self.feature_std.copy_(torch.where(std > 0, std, 1.0))
        return {}

    def encode(self, batch: WeightBatch) -> Tensor:
        return self.to_latent(self._read(batch))

    def posterior(self, batch: WeightBatch) -> tuple[Tensor, Tensor]:
        """Means [B, L] and logarithms of variances [B, L] of the latents of a batch; variational only."""
        pooled = self._read(batch)
        return self.to_latent(pooled), self.to_log_variance(pooled).clamp(*LOG_VARIANCES)

    def decode(self, latents: Tensor, membership: Membership) -> WeightBatch:
        parts, hidden = [], []
        styles = self.from_latent(latents)
        for target, rows in membership.rows():
            tokens = self._tokens(target)
            parts.append((rows, tokens))
            hidden.append((self.from_features(self._coordinates(tokens)) + styles[rows, None]).flatten(0, 1))
        written = self.writer(torch.cat(hidden)).split([len(part) for part in hidden])
        weights = [
            tokens.scatter(part.unflatten(0, (len(rows), len(tokens))))
            for (rows, tokens), part in zip(parts, written, strict=True)
        ]
        return WeightBatch.assembled(membership, [rows for rows, _ in parts], weights)

    def loss(self, batch: WeightBatch, generator: torch.Generator) -> ReconstructionLoss:
        noised = batch.with_weights(batch.weights + self.input_noise * noise_like(batch.weights, generator))
        if self.kl is None:
            latents = self.encode(noised)
            decoded = self.decode(latents + self.latent_noise * noise_like(latents, generator), batch.membership)
            return ReconstructionLoss(_error(batch, decoded), decoded=decoded)
        mean, log_variance = self.posterior(noised)
        decoded = self.decode(mean + (log_variance / 2).exp() * noise_like(mean, generator), batch.membership)
        divergence = kl_from_standard_normal(mean, log_variance).mean()
        return ReconstructionLoss(_error(batch, decoded), self.kl * divergence, {"kl": divergence}, decoded)

    def _read(self, batch: WeightBatch) -> Tensor:
        """Mean and maximum over what is read of each token, [B, 2 * width]."""
        sizes, places, inputs = [], [], []
        for target, rows, weights in batch.parts():
            tokens = self._tokens(target)
            coordinates = self._coordinates(tokens).expand(len(rows), -1, -1)
            inputs.append(torch.cat([coordinates, tokens.gather(weights)], -1).flatten(0, 1))
            sizes.append((len(rows), len(tokens)))
            places.append(rows)
        read = self.reader(torch.cat(inputs)).split([rows * tokens for rows, tokens in sizes])
        hidden = [part.unflatten(0, size) for part, size in zip(read, sizes, strict=True)]
        pooled = torch.cat([torch.cat([part.mean(1), part.amax(1)], -1) for part in hidden])
        return pooled[torch.cat(places).argsort()]

    def _coordinates(self, tokens: WeightTokens) -> Tensor:
        return (tokens.features - self.feature_mean) / self.feature_std

    def _tokens(self, target: Target) -> WeightTokens:
        """A structure's tokens, on this module's device.

        Raises:
            ZoogenError: it has none, or its tokens are of another form.
        """
        device = self.feature_mean.device
        known = self._known.get(target)
        if known is None:
            known = target.tokens()
            form = known.features.shape[1], known.width
            if form != (self.features, self.numbers):
                raise ZoogenError(
                    f"tokens of structure {target.label} have {form[0]} coordinates and {form[1]} numbers, the "
                    f"autoencoder's {self.features} and {self.numbers}; train one for this task"
                )
        if known.features.device != device:
            known = known.to(device)
        self._known[target] = known
        return known


def _error(batch: WeightBatch, decoded: WeightBatch) -> Tensor:
    """Mean over networks of the mean squared error over each one's weights."""
    weights = batch.weights[:, : decoded.weights.shape[1]]
    return ((decoded.weights - weights).square().sum(1) / batch.membership.sizes).mean()


def _blocks(width: int, count: int) -> list[nn.Module]:
    return [_ResidualBlock(width) for _ in range(count)]


class _ResidualBlock(nn.Module):
    """[..., width] and what two layers make of it, normalised."""

    def __init__(self, width: int):
        super().__init__()
        self.layers = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden + cast(Tensor, self.layers(hidden))
