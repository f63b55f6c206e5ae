"""A residual perceptron as denoiser."""

from torch import Tensor, nn

from zoogen.generators.denoiser_config import MlpConfig
from zoogen.generators.denoisers.layers import DenseBlock, InputGate, TimeEmbedding


class ConditionalMlp(nn.Module):
    """Dense blocks over the whole latent, scaled and shifted by time and structure; a gate mixes in the input.

    Args:
        latent: latent length L.
        config: sizes.
    """

    def __init__(self, latent: int, config: MlpConfig):
        super().__init__()
        self.time = TimeEmbedding(config.embedding)
        self.enter = nn.Linear(latent, config.width)
        self.blocks = nn.ModuleList(
            DenseBlock(config.width, config.hidden, config.embedding) for _ in range(config.blocks)
        )
        self.norm = nn.LayerNorm(config.width)
        self.last = nn.Linear(config.width, latent)
        nn.init.zeros_(self.last.weight)  # training begins at the loss of predicting nothing
        self.gate = InputGate(config.embedding, latent)
        self.act = nn.SiLU()

    def forward(self, noisy: Tensor, timesteps: Tensor, structure: Tensor) -> Tensor:
        """Predictions [B, L] for noisy latents [B, L] at time steps [B] or [1], structure embeddings [B or 1, E]."""
        embedding = self.act(self.time(timesteps) + structure)
        features = self.enter(noisy)
        for block in self.blocks:
            features = block(features, embedding)
        return self.gate.mix(self.last(self.norm(features)), noisy, embedding)
