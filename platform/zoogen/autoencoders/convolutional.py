"""What convolutional autoencoders share: the linear maps around the latent vector, and the variational form."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from zoogen.autoencoders.base import noise_like
from zoogen.autoencoders.config import Reconstructed
from zoogen.autoencoders.flat import FlatAutoencoder, VectorLoss, mean_square

LOG_VARIANCES = (-30.0, 20.0)  # exponentials of these are finite in float32


class ConvolutionalAutoencoder(FlatAutoencoder):
    """Convolutions to a short signal [B, C, W], a linear map to the latent vector, and the way back.

    With `kl` it is variational (p-diff, appendix B.2): a second linear map gives the logarithms of the posterior's
    variances, latents of the training are drawn from the posterior (which takes the place of `latent_noise`), and

        loss = mean squared error over coordinates + kl * KL(posterior || N(0, I)),

    KL in nats, summed over the latent numbers and averaged over the batch. `kl` = 2 / P is the evidence lower bound of
    a decoder with unit variance.

    Args:
        length: padded length P.
        latent: latent length L.
        input_noise: see `WeightAutoencoder`.
        latent_noise: see `WeightAutoencoder`.
        inner: channels C and width W of the short signal.
        encoder: makes the module from [B, 1, P] to [B, C, W].
        decoder: makes the module from [B, C, W] to [B, 1, P].
        kl: weight of the divergence; None is the plain autoencoder.
        reconstructed: whether the loss compares with clean or with noised weights.
        real_only: see `FlatAutoencoder`.
    """

    def __init__(
        self,
        length: int,
        latent: int,
        input_noise: float,
        latent_noise: float,
        *,
        inner: tuple[int, int],
        encoder: Callable[[], nn.Module],
        decoder: Callable[[], nn.Module],
        kl: float | None = None,
        reconstructed: Reconstructed = "clean",
        real_only: bool = False,
    ):
        super().__init__(length, latent, input_noise, latent_noise, real_only)
        self.inner, self.kl, self.reconstructed = inner, kl, reconstructed
        features = inner[0] * inner[1]
        # In the order in which initial parameters are drawn.
        self.encoder = encoder()
        self.to_latent = nn.Linear(features, latent)
        if kl is not None:
            self.to_log_variance = nn.Linear(features, latent)
        self.from_latent = nn.Linear(latent, features)
        self.decoder = decoder()

    @property
    def variational(self) -> bool:
        return self.kl is not None

    def encode_vectors(self, vectors: Tensor) -> Tensor:
        return self.to_latent(self._features(vectors))

    def decode_vectors(self, latents: Tensor) -> Tensor:
        return self.decoder(self.from_latent(latents).unflatten(1, self.inner)).squeeze(1)

    def posterior(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Means [B, L] and logarithms of variances [B, L] of the latents of vectors [B, P]; variational only."""
        features = self._features(vectors)
        return self.to_latent(features), self.to_log_variance(features).clamp(*LOG_VARIANCES)

    def vector_loss(self, vectors: Tensor, mask: Tensor | None, generator: torch.Generator) -> VectorLoss:
        """The mean squared error of `FlatAutoencoder.vector_loss`, plus the weighted divergence if variational."""
        noised = vectors + self.input_noise * noise_like(vectors, generator)
        wanted = vectors if self.reconstructed == "clean" else noised
        if self.kl is None:
            latents = self.encode_vectors(noised)
            decoded = self.decode_vectors(latents + self.latent_noise * noise_like(latents, generator))
            return VectorLoss(mean_square(decoded - wanted, mask), decoded)
        mean, log_variance = self.posterior(noised)
        latents = mean + (log_variance / 2).exp() * noise_like(mean, generator)
        decoded = self.decode_vectors(latents)
        error = mean_square(decoded - wanted, mask)
        divergence = kl_from_standard_normal(mean, log_variance).mean()
        return VectorLoss(error, decoded, self.kl * divergence, {"error": error, "kl": divergence})

    def _features(self, vectors: Tensor) -> Tensor:
        return self.encoder(vectors.unsqueeze(1)).flatten(1)


def kl_from_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, diag(variance)) || N(0, I)) in nats of rows [..., L] (Kingma & Welling 2014, appendix B): [...]."""
    return (mean.square() + log_variance.exp() - 1 - log_variance).sum(-1) / 2
