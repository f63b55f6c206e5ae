"""Configuration of autoencoders: one model per kind."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from zoogen.config import Config
from zoogen.training.config import LoopConfig
from zoogen.weights.scaling import ScalingKind

Positive = Annotated[int, Field(ge=1)]


class AutoencoderBase(Config):
    """What every kind of autoencoder of padded flat weights needs."""

    latent: int = Field(256, ge=1, description="length of the latent vector")
    scaling: ScalingKind = Field("tensor", description="bring weights to unit scale: none, global, or per parameter")
    length: Literal["auto"] | Positive = Field(
        "auto", description="padded length; auto takes the longest structure trained on or asked for"
    )
    loss_over: Literal["all", "real"] = Field(
        "all", description="coordinates in the loss: all as in the paper, or without padding"
    )
    input_noise: float = Field(0.001, ge=0, description="standard deviation of the noise on the scaled weights")
    latent_noise: float = Field(0.1, ge=0, description="standard deviation of the noise on the latents")
    loop: LoopConfig = LoopConfig()


class Conv1dAutoencoderConfig(AutoencoderBase):
    """Strided Conv1d encoder and mirrored decoder (GenFlowNet §3.1: four layers each)."""

    kind: Literal["conv1d"] = "conv1d"
    channels: tuple[Positive, ...] = Field((16, 32, 64, 128), min_length=1, description="per layer, input side first")
    kernel: int = Field(7, ge=1, description="odd kernel width, at least the stride")
    stride: int = Field(4, ge=1)
    latent_activation: Literal["none", "tanh"] = Field("none", description="tanh bounds latents to (-1, 1)")

    @model_validator(mode="after")
    def _kernel_covers_stride(self) -> "Conv1dAutoencoderConfig":
        if self.kernel % 2 == 0 or self.kernel < self.stride:
            raise ValueError(f"kernel {self.kernel} must be odd and at least the stride {self.stride}")
        return self


# A further kind joins as `Annotated[Conv1dAutoencoderConfig | OtherConfig, Field(discriminator="kind")]` here and
# as a case of `build.build_autoencoder`.
AutoencoderConfig = Conv1dAutoencoderConfig
