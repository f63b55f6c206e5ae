"""From configuration to denoiser."""

from torch import nn

from zoogen.generators.denoiser_config import DenoiserConfig, MlpConfig, PDiffConfig, TokensConfig
from zoogen.generators.denoisers.mlp import ConditionalMlp
from zoogen.generators.denoisers.pdiff import PDiffDenoiser
from zoogen.generators.denoisers.tokens import TokenDenoiser
from zoogen.generators.denoisers.unet import ConditionalUNet1d


def build_denoiser(config: DenoiserConfig, latent: int) -> nn.Module:
    """An untrained module: (noisy latents [B, L], time steps [B] or [1], structure embeddings [B or 1, E]) to
    predictions [B, L].

    Raises:
        ZoogenError: the latent length does not fit the configuration.
    """
    match config:
        case MlpConfig():
            return ConditionalMlp(latent, config)
        case PDiffConfig():
            return PDiffDenoiser(latent, config)
        case TokensConfig():
            return TokenDenoiser(latent, config)
        case _:
            return ConditionalUNet1d(latent, config)
