"""The conditional Conv1d U-Net (GenFlowNet §2.3, §3.1)."""

import math

import torch
from torch import Tensor, nn

from zoogen.autoencoders.conv1d import Down, Up
from zoogen.errors import ZoogenError
from zoogen.generators.config import UNetConfig

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


class DenseBlock(nn.Module):
    """Residual perceptron over all channels and positions of [B, C, W] at once, its hidden layer scaled and shifted by
    the embedding.

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


class ConditionalUNet1d(nn.Module):
    """Strided convolutions down, dense blocks, transposed convolutions up, skips across; time and structure are added
    to the features of every layer. In the end a gate, set by time and structure per dimension, mixes in the input:
    how much of a deviation is spread and how much is noise (for a Gaussian of spread s the optimal sample lies
    s^2 / (s^2 + noise^2) of the way from the mean to the input), which the layers learn slowly where s is small.

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
            self.down.append(Down(before, after, kernel, stride, config.shortcut))
            self.down_injections.append(Injection(config.embedding, after, width))
            before = after
        size = before * width
        self.middle = nn.ModuleList(
            DenseBlock(size, config.middle, config.embedding) for _ in range(config.middle_blocks)
        )
        for level in reversed(range(len(channels))):
            after = channels[level - 1] if level else channels[0]
            width *= stride
            self.up.append(Up(before, after, kernel, stride, config.shortcut))
            self.up_injections.append(Injection(config.embedding, after, width))
            before = after
        self.last = nn.Conv1d(before + 1, 1, kernel, padding=kernel // 2)
        nn.init.zeros_(self.last.weight)  # training begins at the loss of predicting nothing, whatever the depth
        self.gate = nn.Linear(config.embedding, latent)
        nn.init.constant_(self.gate.bias, _GATE_START)
        self.act = nn.SiLU()

    def forward(self, noisy: Tensor, timesteps: Tensor, structure: Tensor) -> Tensor:
        """Predictions [B, L] for noisy latents [B, L] at time steps [B] or [1], structure embeddings [B or 1, E]."""
        embedding = self.act(self.time(timesteps) + structure)
        features = noisy.unsqueeze(1)
        skips = []
        for layer, inject in zip(self.down, self.down_injections, strict=True):
            skips.append(features)
            features = inject(layer(features), embedding)
        for block in self.middle:
            features = block(features, embedding)
        for layer, inject in zip(self.up, self.up_injections, strict=True):
            features = inject(layer(features), embedding)
            skip = skips.pop()
            features = (features + skip) * 0.5**0.5 if skip.shape[1] > 1 else torch.cat([features, skip], dim=1)
        prediction = self.last(features).squeeze(1)
        return prediction + self.gate(embedding).sigmoid() * (noisy - prediction)
