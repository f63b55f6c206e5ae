"""The conditional Conv1d U-Net (GenFlowNet §2.3, §3.1)."""

import math

import torch
from torch import Tensor, nn

from zoogen.errors import ZoogenError
from zoogen.generators.config import UNetConfig


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


class Injection(nn.Module):
    """Adds an embedding [B, E] to features [B, C, W].

    The embedding becomes one number per channel and position: a latent vector has no translation symmetry, and
    the four structures differ in every one of its dimensions. An embedding of batch 1 serves the whole batch.
    """

    def __init__(self, embedding: int, channels: int, width: int):
        super().__init__()
        self.shape = (channels, width)
        self.project = nn.Linear(embedding, channels * width)

    def forward(self, features: Tensor, embedding: Tensor) -> Tensor:
        return features + self.project(embedding).unflatten(1, self.shape)


class ConditionalUNet1d(nn.Module):
    """Strided convolutions down, transposed ones up, skips across; time and structure added before each layer.

    Args:
        latent: latent length L, a multiple of stride ** layers.
        config: sizes.
    """

    def __init__(self, latent: int, config: UNetConfig):
        super().__init__()
        channels, kernel, stride = config.channels, config.kernel, config.stride
        factor = stride ** len(channels)
        if latent % factor:
            raise ZoogenError(f"latent length {latent} is no multiple of stride ** layers = {factor}; change one")
        self.time = TimeEmbedding(config.embedding)
        self.down, self.down_injections = nn.ModuleList(), nn.ModuleList()
        self.up, self.up_injections = nn.ModuleList(), nn.ModuleList()
        width, before = latent, 1
        for after in channels:
            width //= stride
            self.down.append(nn.Conv1d(before, after, kernel, stride, kernel // 2))
            self.down_injections.append(Injection(config.embedding, after, width))
            before = after
        for level in reversed(range(len(channels))):
            after = channels[level - 1] if level else channels[0]
            width *= stride
            self.up.append(nn.ConvTranspose1d(before, after, kernel, stride, kernel // 2, stride - 1))
            self.up_injections.append(Injection(config.embedding, after, width))
            before = after + (channels[level - 1] if level else 1)
        self.last = nn.Conv1d(before, 1, kernel, padding=kernel // 2)
        self.act = nn.SiLU()

    def forward(self, noisy: Tensor, timesteps: Tensor, structure: Tensor) -> Tensor:
        """Predictions [B, L] for noisy latents [B, L] at time steps [B] or [1], structure embeddings [B or 1, E]."""
        embedding = self.act(self.time(timesteps) + structure)
        features = noisy.unsqueeze(1)
        skips = []
        for layer, inject in zip(self.down, self.down_injections, strict=True):
            skips.append(features)
            features = self.act(inject(layer(features), embedding))
        for layer, inject in zip(self.up, self.up_injections, strict=True):
            features = torch.cat([self.act(inject(layer(features), embedding)), skips.pop()], dim=1)
        return self.last(features).squeeze(1)
