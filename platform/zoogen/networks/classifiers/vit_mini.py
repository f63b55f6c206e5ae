"""p-diff's ViT-mini (appendix A.2)."""

import math
from collections import OrderedDict

import torch
from torch import Tensor, nn

from zoogen.errors import ZoogenError

TOKENS_PER_EDGE, WIDTH, DEPTH, HEADS, HEAD_WIDTH = 8, 64, 4, 4, 8


def vit_mini(channels: int, size: int, classes: int) -> nn.Module:
    """64 tokens of 64 numbers, 4 layers with 4 heads of 8 and 64 hidden units: 80,714 parameters for 10 classes at
    64 pixels, exactly Table 6's count, where patches are 8 pixels wide.

    Not in the paper: normalisation of patches before and after their embedding, fixed sine and cosine positions, no
    biases in attention, GELU, a final normalisation and the mean over tokens (all as in p-diff's public code, which
    follows Beyer et al. 2022). Other edges that 8 divides give other patches and counts.
    """
    if size % TOKENS_PER_EDGE or size < TOKENS_PER_EDGE:
        raise ZoogenError(
            f"vit-mini cuts images into {TOKENS_PER_EDGE} x {TOKENS_PER_EDGE} patches, {size} pixels do not divide; "
            f"set task.data.size to a multiple of {TOKENS_PER_EDGE}"
        )
    parts: list[tuple[str, nn.Module]] = [
        ("embeddings", PatchEmbedding(channels, size // TOKENS_PER_EDGE)),
        ("layers", nn.Sequential(*(Layer() for _ in range(DEPTH)))),
        ("layernorm", nn.LayerNorm(WIDTH)),
        ("mean", MeanToken()),
        ("classifier", nn.Linear(WIDTH, classes)),
    ]
    return nn.Sequential(OrderedDict(parts))


class PatchEmbedding(nn.Module):
    """Images [B, C, S, S] to tokens [B, T, width] with their positions."""

    positions: Tensor

    def __init__(self, channels: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.layernorm_patches = nn.LayerNorm(channels * patch**2)
        self.projection = nn.Linear(channels * patch**2, WIDTH)
        self.layernorm_tokens = nn.LayerNorm(WIDTH)
        self.register_buffer("positions", sine_positions(TOKENS_PER_EDGE, WIDTH), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        patches = nn.functional.unfold(images, self.patch, stride=self.patch).transpose(1, 2)
        tokens = self.projection(self.layernorm_patches(patches))
        return self.layernorm_tokens(tokens) + self.positions


def sine_positions(edge: int, width: int) -> Tensor:
    """Positions on a square of `edge` x `edge` tokens, [edge * edge, width]: sines and cosines of column and row at
    width / 4 frequencies from 1 to 1 / 10,000 (Beyer et al. 2022)."""
    shares = torch.arange(width // 4, dtype=torch.float64) / (width // 4 - 1)
    frequencies = torch.exp(-math.log(10_000) * shares)
    angles = torch.arange(edge, dtype=torch.float64)[:, None] * frequencies
    waves = torch.cat([angles.sin(), angles.cos()], dim=1)  # [edge, width / 2]
    columns, rows = waves.repeat(edge, 1), waves.repeat_interleave(edge, 0)
    return torch.cat([columns, rows], dim=1).float()


class Attention(nn.Module):
    """Attention among the tokens [B, T, width] by plain products, which can be batched over parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.q_proj = nn.Linear(WIDTH, HEADS * HEAD_WIDTH, bias=False)
        self.k_proj = nn.Linear(WIDTH, HEADS * HEAD_WIDTH, bias=False)
        self.v_proj = nn.Linear(WIDTH, HEADS * HEAD_WIDTH, bias=False)
        self.o_proj = nn.Linear(HEADS * HEAD_WIDTH, WIDTH, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        query, key, value = (
            part(tokens).unflatten(-1, (HEADS, HEAD_WIDTH)).transpose(1, 2)  # [B, heads, T, head width]
            for part in (self.q_proj, self.k_proj, self.v_proj)
        )
        shares = (query @ key.transpose(2, 3) / math.sqrt(HEAD_WIDTH)).softmax(-1)
        return self.o_proj((shares @ value).transpose(1, 2).flatten(2))


class Layer(nn.Module):
    """A transformer's layer, tokens [B, T, width] to the same, normalised before either part."""

    def __init__(self) -> None:
        super().__init__()
        self.layernorm_before = nn.LayerNorm(WIDTH)
        self.attention = Attention()
        self.layernorm_after = nn.LayerNorm(WIDTH)
        hidden = [("fc1", nn.Linear(WIDTH, WIDTH)), ("activation", nn.GELU()), ("fc2", nn.Linear(WIDTH, WIDTH))]
        self.mlp = nn.Sequential(OrderedDict(hidden))

    def forward(self, tokens: Tensor) -> Tensor:
        attended = tokens + self.attention(self.layernorm_before(tokens))
        return attended + self.mlp(self.layernorm_after(attended))


class MeanToken(nn.Module):
    """Tokens [B, T, width] to their mean, [B, width]."""

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens.mean(1)
