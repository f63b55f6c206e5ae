"""Configuration of autoencoders: one model per kind."""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from zoogen.config import Config
from zoogen.training.config import LoopConfig, ScheduleConfig
from zoogen.weights.scaling import ScalingKind

Positive = Annotated[int, Field(ge=1)]


class AutoencoderBase(Config):
    """What every kind of autoencoder of padded flat weights needs.

    The default loop is a fast recipe (about a minute on one core); the paper's is `{iterations: 30000, batch_size:
    200, schedule: {kind: constant, warmup: 0}}`. Padding counts in the loss by default, as in the paper: a decoder
    that gives zero there lets a reader see where a vector ends, and costs little.
    """

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
    loop: LoopConfig = LoopConfig(iterations=1000, batch_size=32, schedule=ScheduleConfig(kind="cosine", warmup=50))


class Conv1dAutoencoderConfig(AutoencoderBase):
    """Strided Conv1d encoder and mirrored decoder (GenFlowNet §3.1: four layers each)."""

    kind: Literal["conv1d"] = "conv1d"
    channels: tuple[Positive, ...] = Field((8, 32, 128, 512), min_length=1, description="per layer, input side first")
    kernel: int = Field(5, ge=1, description="odd kernel width, at least the stride")
    stride: int = Field(4, ge=1)
    shortcut: bool = Field(True, description="add every layer's rearranged input to its output")

    @model_validator(mode="after")
    def _kernel_covers_stride(self) -> "Conv1dAutoencoderConfig":
        if self.kernel % 2 == 0 or self.kernel < self.stride:
            raise ValueError(f"kernel {self.kernel} must be odd and at least the stride {self.stride}")
        if self.shortcut:
            for before, after in pairwise((1, *self.channels)):
                if after % (before * self.stride) and (before * self.stride) % after:
                    raise ValueError(
                        f"channels {after} after {before} with stride {self.stride}: for a shortcut one of {after} and "
                        f"{before * self.stride} must divide the other"
                    )
        return self


# A further kind joins as `Annotated[Conv1dAutoencoderConfig | OtherConfig, Field(discriminator="kind")]` here and
# as a case of `build.build_autoencoder`.
AutoencoderConfig = Conv1dAutoencoderConfig
