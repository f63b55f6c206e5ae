"""The conditional Conv1d U-Net (GenFlowNet §2.3, §3.1)."""

import torch
from torch import Tensor, nn

from zoogen.autoencoders.conv1d import Down, Up
from zoogen.errors import ZoogenError
from zoogen.generators.denoiser_config import UNetConfig
from zoogen.generators.denoisers.layers import DenseBlock, InputGate, TimeEmbedding


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
    """Strided convolutions down, dense blocks, transposed convolutions up, skips across; time and structure are added
    to the features of every layer; in the end a gate mixes in the input.

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
        self.gate = InputGate(config.embedding, latent)
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
        return self.gate.mix(prediction, noisy, embedding)
