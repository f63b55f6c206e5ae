"""Small denoisers of every kind, and training them on latents with a known distribution."""

import torch
from torch import Tensor

from zoogen.generators.base import LatentGenerator
from zoogen.generators.build import build_generator
from zoogen.generators.config import LatentGeneratorConfig
from zoogen.generators.denoiser_config import DenoiserConfig, MlpConfig, PDiffConfig, TokensConfig, UNetConfig
from zoogen.generators.train import GeneratorObjective
from zoogen.seeds import seeded
from zoogen.training.config import AdamWConfig, EmaConfig, LoopConfig, ScheduleConfig
from zoogen.training.loop import fit

SMALL: dict[str, DenoiserConfig] = {
    "unet": UNetConfig(channels=(2, 4), middle=64, embedding=16),
    "mlp": MlpConfig(width=64, hidden=128, embedding=16),
    "pdiff": PDiffConfig(channels=(8, 16), kernel=3, embedding=16),
    "tokens": TokensConfig(token=4, width=32, summary=64, blocks=2, embedding=16),
}
CONDITIONS = torch.tensor([[64.0, 16, 4, 8], [36.0, 6, 6, 6]])


def loop(iterations: int, lr: float = 5e-3, batch_size: int = 64) -> LoopConfig:
    return LoopConfig(
        iterations=iterations,
        batch_size=batch_size,
        optimiser=AdamWConfig(lr=lr),
        schedule=ScheduleConfig(kind="cosine", warmup=20),
        ema=EmaConfig(decay=0.99, warmup=True),
    )


def trained(config: LatentGeneratorConfig, latents: Tensor, conditions: Tensor) -> LatentGenerator:
    """A generator trained on latents [K, L] with their conditions [K, C]."""
    with seeded(0):
        model = build_generator(config, latents.shape[1], conditions.shape[1])
    model.fit_conditions(conditions)

    def sample_batch(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        rows = torch.randint(len(latents), (count,), generator=generator)
        return latents[rows], conditions[rows]

    fit(GeneratorObjective(model), sample_batch, config.loop, seed=0)
    return model


def clusters(spread: float = 0.3, latent: int = 16) -> tuple[Tensor, Tensor, Tensor]:
    """Means [2, L], latents [K, L] around them, and their conditions [K, 4]."""
    generator = torch.Generator().manual_seed(0)
    means = 1.5 * torch.randn(2, latent, generator=generator)
    which = torch.arange(1000) % 2
    return means, means[which] + spread * torch.randn(1000, latent, generator=generator), CONDITIONS[which]
