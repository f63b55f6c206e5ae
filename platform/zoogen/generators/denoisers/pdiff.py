"""The denoiser of p-diff's public code (METHODS section 2)."""

from itertools import pairwise

from torch import Tensor, nn

from zoogen.generators.denoiser_config import PDiffConfig
from zoogen.generators.denoisers.layers import TimeEmbedding


class PDiffDenoiser(nn.Module):
    """Convolutions of stride 1 with channels 1-64-128-256-512-256-128-64-1 and additive skips between layers of equal
    channels. Time and structure become one number per position of the latent, added to the input of every layer.
    Eight kernels of 7 reach 24 positions to either side: parts of a longer latent that lie further apart are drawn
    independently of each other at every step.

    The structure's embedding joins time's: p-diff has one structure and no condition. Its activation is not stated;
    it is ELU here, as in the decoder of p-diff's autoencoder.

    Args:
        latent: latent length L.
        config: sizes.
    """

    def __init__(self, latent: int, config: PDiffConfig):
        super().__init__()
        self.time = TimeEmbedding(config.embedding)
        self.embed = nn.Sequential(nn.SiLU(), nn.Linear(config.embedding, latent))
        widths = (1, *config.channels, *config.channels[-2::-1], 1)
        self.layers = nn.ModuleList(
            nn.Conv1d(before, after, config.kernel, padding=config.kernel // 2) for before, after in pairwise(widths)
        )
        self.act = nn.ELU()

    def forward(self, noisy: Tensor, timesteps: Tensor, structure: Tensor) -> Tensor:
        """Predictions [B, L] for noisy latents [B, L] at time steps [B] or [1], structure embeddings [B or 1, E]."""
        added = self.embed(self.time(timesteps) + structure).unsqueeze(1)
        features, skips = noisy.unsqueeze(1), list[Tensor]()
        middle = len(self.layers) // 2
        for index, layer in enumerate(self.layers[:-1]):
            features = self.act(layer(features + added))
            if index < middle - 1:
                skips.append(features)
            elif skips and index >= middle:
                features = features + skips.pop()
        return self.layers[-1](features + added).squeeze(1)
