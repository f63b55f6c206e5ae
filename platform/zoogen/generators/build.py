"""From configuration to generator of latents."""

from zoogen.generators.base import LatentGenerator
from zoogen.generators.config import DiffusionConfig
from zoogen.generators.diffusion import LatentDiffusion


def build_generator(config: DiffusionConfig, latent: int, condition: int) -> LatentGenerator:
    """An untrained generator of latents of length `latent` given `condition` numbers; its initial parameters come
    from torch's global generator."""
    return LatentDiffusion(config, latent, condition)
