"""Layers that denoisers share."""

import math

import torch
from torch import Tensor, nn

_GATE_START = -3.0  # the gate's sigmoid begins near closed


class TimeEmbedding(nn.Module):
    """Sinusoids of the time step at geometric frequencies (Vaswani et al. 2017), then a two-layer perceptron."""

    frequencies: Tensor

    def __init__(self, embedding: int):
        super().__init__()
        half = embedding // 2
        self.register_buffer("frequencies", torch.exp(-math.log(10_000) * torch.arange(half) / half), persistent=False)
        self.layers = nn.Sequential(nn.Linear(2 * half, embedding), nn.SiLU(), nn.Linear(embedding, embedding))

    def forward(self, timesteps: Tensor) -> Tensor:
        """Time steps [B] to embeddings [B, E]."""
        angles = timesteps[:, None] * self.frequencies
        return self.layers(torch.cat([angles.sin(), angles.cos()], dim=1))


class DenseBlock(nn.Module):
    """Residual perceptron over all numbers of [B, ...] at once, its hidden layer scaled and shifted by the embedding.

    Which checkpoint a noisy latent is closest to depends on all its dimensions together; convolutions alone, whose
    weights are shared along the latent, mix checkpoints. The scale lets the noise level set how sharply to decide.
    """

    def __init__(self, size: int, hidden: int, embedding: int):
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.expand = nn.Linear(size, hidden)
        self.modulate = nn.Linear(embedding, 2 * hidden)
        self.contract = nn.Linear(hidden, size)
        self.act = nn.SiLU()

    def forward(self, features: Tensor, embedding: Tensor) -> Tensor:
        flat = features.flatten(1)
        scale, shift = self.modulate(embedding).chunk(2, dim=1)
        hidden = self.act(self.expand(self.norm(flat)) * (1 + scale) + shift)
        return (flat + self.contract(hidden)).view_as(features)


class InputGate(nn.Linear):
    """Mixes the noisy input into a prediction, by a share per dimension that time and structure set.

    How much of a deviation is spread and how much is noise (for a Gaussian of spread s the optimal sample lies
    s^2 / (s^2 + noise^2) of the way from the mean to the input) is learnt slowly by layers where s is small.
    """

    def __init__(self, embedding: int, latent: int):
        super().__init__(embedding, latent)
        nn.init.constant_(self.bias, _GATE_START)

    def mix(self, prediction: Tensor, noisy: Tensor, embedding: Tensor) -> Tensor:
        """Predictions [B, L] and noisy latents [B, L] to predictions [B, L], with embeddings [B or 1, E]."""
        return prediction + self(embedding).sigmoid() * (noisy - prediction)
