"""A denoiser of long latents: tokens with shared weights, and one summary that all of them feed and read."""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from zoogen.generators.denoiser_config import TokensConfig
from zoogen.generators.denoisers.layers import DenseBlock, InputGate, TimeEmbedding


class TokenDenoiser(nn.Module):
    """The latent as tokens of `token` numbers, zero-padded to whole ones.

    Weights are shared by all tokens. What a token is comes from its place, a learnt vector: it scales what the token
    adds to the summary and takes from it, so that summary and tokens are tied by a low-rank map of the whole latent.
    Nothing is quadratic in the number of tokens.

    Args:
        latent: latent length L.
        config: sizes.
    """

    def __init__(self, latent: int, config: TokensConfig):
        super().__init__()
        self.latent, self.token, self.recompute = latent, config.token, config.recompute
        count, width = -(-latent // config.token), config.width
        self.time = TimeEmbedding(config.embedding)
        self.places = nn.Parameter(torch.randn(count, width))
        self.enter = nn.Linear(config.token, width)
        self.start = nn.Linear(config.embedding, config.summary)
        self.blocks = nn.ModuleList(TokenBlock(config) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(width)
        self.last = nn.Linear(width, config.token)
        nn.init.zeros_(self.last.weight)  # training begins at the loss of predicting nothing
        self.gate_places = nn.Linear(width, width)
        self.gate_embedding = nn.Linear(config.embedding, width)
        self.gate = InputGate(width, config.token)
        self.act = nn.SiLU()

    def forward(self, noisy: Tensor, timesteps: Tensor, structure: Tensor) -> Tensor:
        """Predictions [B, L] for noisy latents [B, L] at time steps [B] or [1], structure embeddings [B or 1, E]."""
        embedding = self.act(self.time(timesteps) + structure)
        padded = functional.pad(noisy, (0, len(self.places) * self.token - self.latent))
        tokens = padded.unflatten(1, (-1, self.token))
        features = self.enter(tokens) + self.places
        summary = self.start(embedding).expand(len(noisy), -1)
        for block in self.blocks:
            arguments = (features, summary, embedding, self.places)
            if self.recompute and torch.is_grad_enabled():
                features, summary = checkpoint(block, *arguments, use_reentrant=False)
            else:
                features, summary = block(*arguments)
        prediction = self.last(self.norm(features))
        mixed = self.gate_places(self.places) * self.gate_embedding(embedding).unsqueeze(1)
        return self.gate.mix(prediction, tokens, mixed).flatten(1)[:, : self.latent]


class TokenBlock(nn.Module):
    """Tokens to summary, a dense block on the summary, summary to tokens, a perceptron on every token."""

    def __init__(self, config: TokensConfig):
        super().__init__()
        width = config.width
        self.norm = nn.LayerNorm(width)
        self.place = nn.Linear(width, 2 * width)
        self.tell = nn.Linear(width, config.summary)
        self.think = DenseBlock(config.summary, 2 * config.summary, config.embedding)
        self.hear = nn.Linear(config.summary, width)
        self.norm_own = nn.LayerNorm(width)
        self.expand = nn.Linear(width, 2 * width)
        self.modulate = nn.Linear(config.summary, 4 * width)
        self.contract = nn.Linear(2 * width, width)
        self.act = nn.SiLU()

    def forward(self, features: Tensor, summary: Tensor, embedding: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Features [B, T, W], summary [B, S], embedding [B or 1, E] and places [T, W] to features and summary."""
        read, write = self.place(places).chunk(2, dim=1)
        # divided by the root: the sum of many independent contributions keeps unit scale
        told = torch.einsum("btw,tw->bw", self.norm(features), read) / len(places) ** 0.5
        summary = self.think(summary + self.tell(told), embedding)
        features = features + write * self.hear(summary).unsqueeze(1)
        scale, shift = self.modulate(summary).unsqueeze(1).chunk(2, dim=2)
        hidden = self.act(self.expand(self.norm_own(features)) * (1 + scale) + shift)
        return features + self.contract(hidden), summary
