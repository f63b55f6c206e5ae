"""Configuration of autoencoders: one model per kind."""

from abc import ABC, abstractmethod
from itertools import pairwise
from math import lcm
from typing import Annotated, Literal

from pydantic import Field, model_validator

from zoogen.config import Config
from zoogen.training.config import AdamWConfig, LoopConfig, ScheduleConfig
from zoogen.weights.scaling_kind import ScalingKind

Positive = Annotated[int, Field(ge=1)]
Reconstructed = Literal["clean", "noised"]


class AutoencoderBase(Config):
    """What every kind of autoencoder needs."""

    scaling: ScalingKind = Field(
        "tensor", description="bring weights to unit scale: none, global, per parameter, or per coordinate"
    )

    @property
    def iterations(self) -> int:
        """Iterations of the training; 1 for what is fitted at once."""
        return 1


class FlatBase(AutoencoderBase, ABC):
    """What every kind needs that sees networks as zero-padded vectors of one length."""

    length: Literal["auto"] | Positive = Field(
        "auto", description="padded length; auto takes the longest structure trained on or asked for"
    )

    @property
    @abstractmethod
    def multiple(self) -> int:
        """What the padded length must be a multiple of."""


class LossConfig(Config):
    """What an autoencoder is trained to get right: weights, what networks do, or both."""

    weights: float = Field(1.0, ge=0, description="weight of the mean squared error of the scaled weights")
    behaviour: float = Field(
        0.0,
        ge=0,
        description="weight of KL(original || decoded), nats, of what networks choose at inputs that the task probes",
    )
    inputs: int = Field(128, ge=1, description="inputs per structure and iteration; behaviour only")
    pool: int = Field(4096, ge=1, description="inputs kept per structure; behaviour only")

    @model_validator(mode="after")
    def _something_counts(self) -> "LossConfig":
        if self.weights == self.behaviour == 0:
            raise ValueError("weights and behaviour are both 0; give one of them a weight")
        return self


class TrainedAutoencoderBase(AutoencoderBase):
    """What every kind needs that is trained in a loop.

    The default loop is a fast recipe (about a minute on one core); GenFlowNet's is `{iterations: 30000, batch_size:
    200, schedule: {kind: constant, warmup: 0}}`.
    """

    input_noise: float = Field(0.001, ge=0, description="standard deviation of the noise on the scaled weights")
    latent_noise: float = Field(0.1, ge=0, description="standard deviation of the noise on the latents")
    loop: LoopConfig = LoopConfig(iterations=1000, batch_size=32, schedule=ScheduleConfig(kind="cosine", warmup=50))

    @property
    def iterations(self) -> int:
        return self.loop.iterations

    @property
    def losses(self) -> LossConfig:
        """What counts; weights alone where a kind has no choice."""
        return LossConfig()


class TrainedFlatBase(FlatBase, TrainedAutoencoderBase):
    """What flat kinds need that are trained in a loop.

    Padding counts in the loss by default, as in the paper: a decoder that gives zero there lets a reader see where a
    vector ends, and costs little.
    """

    loss_over: Literal["all", "real"] = Field(
        "all", description="coordinates in the loss: all as in the paper, or without padding"
    )


class ConvolutionalBase(TrainedFlatBase):
    """What convolutional kinds need."""

    latent: int = Field(256, ge=1, description="length of the latent vector")
    kl: float | None = Field(
        None,
        gt=0,
        description="weight of KL(posterior || N(0, I)) beside the mean squared error: variational; null: plain",
        exclude_if=lambda value: value is None,
    )
    loss: LossConfig = Field(LossConfig(), exclude_if=lambda value: value == LossConfig())

    @property
    def losses(self) -> LossConfig:
        return self.loss


class Conv1dAutoencoderConfig(ConvolutionalBase):
    """Strided Conv1d encoder and mirrored decoder (GenFlowNet §3.1: four layers each)."""

    kind: Literal["conv1d"] = "conv1d"
    channels: tuple[Positive, ...] = Field((8, 32, 128, 512), min_length=1, description="per layer, input side first")
    kernel: int = Field(5, ge=1, description="odd kernel width, at least the stride")
    stride: int = Field(4, ge=1)
    shortcut: bool = Field(True, description="add every layer's rearranged input to its output")

    @property
    def multiple(self) -> int:
        return self.stride ** len(self.channels)

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


class PDiffAutoencoderConfig(ConvolutionalBase):
    """Conv1d autoencoder of p-diff's public code; the loop is that of the paper (Table 5c).

    The code's `target` is the noised input, the paper's (eq. 3) the clean one.
    """

    kind: Literal["pdiff"] = "pdiff"
    latent: int = Field(128, ge=1, description="length of the latent vector; the code: 768 for whole small networks")
    channels: tuple[Positive, ...] = Field(
        (64, 128, 256, 256, 32), min_length=1, description="per layer of stride 2, input side first"
    )
    target: Reconstructed = Field("clean", description="what is reconstructed: clean or noised weights")
    loop: LoopConfig = LoopConfig(
        iterations=500,
        batch_size=50,
        optimiser=AdamWConfig(lr=2e-5, weight_decay=0),
        schedule=ScheduleConfig(kind="cosine"),
    )

    @property
    def multiple(self) -> int:
        return lcm(64, 2 ** len(self.channels))


class LinearAutoencoderConfig(FlatBase):
    """Principal components of the scaled training weights: fitted exactly in seconds, without a loop."""

    kind: Literal["linear"] = "linear"
    latent: int = Field(64, ge=1, description="scores kept; those beyond the number of training rows - 1 are zero")

    @property
    def multiple(self) -> int:
        return 1


class ChunkedAutoencoderConfig(TrainedFlatBase):
    """One small network for all chunks of the vector: for vectors that are too long for the other kinds.

    The latent vector has `tokens` numbers per chunk. The default scaling is by coordinate, which suits trajectories.
    """

    kind: Literal["chunked"] = "chunked"
    scaling: ScalingKind = Field(
        "coordinate", description="bring weights to unit scale: none, global, per parameter, or per coordinate"
    )
    chunk: int = Field(512, ge=2, description="weights per chunk")
    tokens: int = Field(8, ge=1, description="latent numbers per chunk")
    basis: bool = Field(
        True, description="give each chunk its own principal axes, `tokens` of them, which the network adds to"
    )
    width: int = Field(128, ge=1, description="hidden width of the shared network")
    blocks: int = Field(2, ge=0, le=1024, description="residual blocks of encoder and decoder each")
    position: int = Field(16, ge=1, description="numbers learnt per chunk that tell the shared network where it is")
    chunks_per_step: int = Field(64, ge=1, description="chunks in the loss of an iteration, drawn anew each time")
    loop: LoopConfig = LoopConfig(iterations=400, batch_size=50, schedule=ScheduleConfig(kind="cosine", warmup=20))

    @property
    def multiple(self) -> int:
        return self.chunk


class TokenAutoencoderConfig(TrainedAutoencoderBase):
    """Reads and writes networks token by token, each by its coordinates: one latent for networks of any structure,
    and structures that were never trained on can be decoded.
    """

    kind: Literal["tokens"] = "tokens"
    latent: int = Field(64, ge=1, description="length of the latent vector")
    width: int = Field(256, ge=1, description="hidden width of encoder and decoder")
    blocks: int = Field(2, ge=0, le=1024, description="residual blocks of encoder and decoder each")
    kl: float | None = Field(
        None, gt=0, description="weight of KL(posterior || N(0, I)) beside the other losses: variational; null: plain"
    )
    loss: LossConfig = LossConfig()
    loop: LoopConfig = LoopConfig(
        iterations=4000,
        batch_size=8,
        optimiser=AdamWConfig(weight_decay=0),
        schedule=ScheduleConfig(kind="cosine", warmup=100),
        clip=1.0,
    )

    @property
    def losses(self) -> LossConfig:
        return self.loss


class Kl2dAutoencoderConfig(TrainedFlatBase):
    """A variational autoencoder of weights as an image with residual convolutions (D2NWG's form, FLoWN A.3).

    The defaults are for a CPU: smaller images with fewer features, for latents of the paper's size 4 × 4 × 4. Its own
    form is `{map: 64, channels: 128, multipliers: [1, 1, 2, 2, 4], loss: d2nwg}`, for a GPU.
    """

    kind: Literal["kl2d"] = "kl2d"
    map: int = Field(32, ge=2, le=1024, description="edge of the image that a linear layer makes of the weights")
    channels: int = Field(16, ge=2, multiple_of=2, description="features at full size")
    multipliers: tuple[Positive, ...] = Field(
        (1, 1, 2, 2), min_length=1, max_length=10, description="of the channels, one per level; each halves the edge"
    )
    blocks: int = Field(2, ge=1, le=64, description="residual blocks per level")
    kl: float = Field(1e-6, ge=0, description="weight of KL(posterior || N(0, I)), summed over the latent numbers")
    loss: Literal["mse", "d2nwg"] = Field(
        "mse", description="mean square; or 1000 times that and the sum of absolute errors, as in D2NWG"
    )
    chunk: int | None = Field(None, ge=2, description="weights per image; null: all of a network in one")
    latent_noise: float = Field(0.5, ge=0, description="standard deviation of the noise on the latents")

    @property
    def multiple(self) -> int:
        return self.chunk or 1

    @model_validator(mode="after")
    def _levels_halve(self) -> "Kl2dAutoencoderConfig":
        if self.map % 2 ** (len(self.multipliers) - 1):
            raise ValueError(f"map {self.map} cannot be halved {len(self.multipliers) - 1} times; use a power of 2")
        return self


# A further kind joins here and as a case of `build.build_autoencoder`.
AutoencoderConfig = Annotated[
    Conv1dAutoencoderConfig
    | PDiffAutoencoderConfig
    | LinearAutoencoderConfig
    | ChunkedAutoencoderConfig
    | TokenAutoencoderConfig
    | Kl2dAutoencoderConfig,
    Field(discriminator="kind"),
]


class AutoencoderSection(Config):
    """A mapping with the key `autoencoder` alone: what a union is parsed within."""

    autoencoder: AutoencoderConfig = Conv1dAutoencoderConfig()
