"""From configuration to generator of latents."""

from zoogen.generators.base import LatentGenerator
from zoogen.generators.config import DiffusionConfig, LatentGeneratorConfig
from zoogen.generators.diffusion import LatentDiffusion
from zoogen.generators.flow.config import FlowConfig
from zoogen.generators.flow.matching import LatentFlow


def build_generator(config: LatentGeneratorConfig, latent: int, condition: int) -> LatentGenerator:
    """An untrained generator of latents of length `latent` given `condition` numbers; its initial parameters come
    from torch's global generator."""
    match config:
        case DiffusionConfig():
            return LatentDiffusion(config, latent, condition)
        case FlowConfig():
            return LatentFlow(config, latent, condition)
