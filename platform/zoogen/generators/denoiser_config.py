"""Configuration of what generators of latents share: conditions, and networks from a noisy latent to a prediction."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from zoogen.config import Config

Positive = Annotated[int, Field(ge=1)]


class ConditionConfig(Config):
    """How the structure enters (GenFlowNet §2.3: an encoder of c in R^4, added to the denoiser's features)."""

    transform: Literal["none", "log"] = Field("log", description="map applied before standardising each number")
    width: int = Field(128, ge=1, description="hidden width of the structure encoder")
    drop: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="chance to hide the condition in training, which guidance needs",
        exclude_if=lambda value: value == 0,
    )


class DenoiserBase(Config):
    """What every kind of denoiser needs."""

    embedding: int = Field(64, ge=2, multiple_of=2, description="width of the embedding of time and structure; even")


class UNetConfig(DenoiserBase):
    """Conditional Conv1d U-Net over the latent vector as a signal with one channel.

    The paper says four layers of one-dimensional convolutions and no more; `shortcut: false` and `middle_blocks: 0`
    is the plain reading of it.
    """

    # left out of what digests cover: generators named before there were other kinds keep their names
    kind: Literal["unet"] = Field("unet", exclude_if=lambda _: True)
    channels: tuple[Positive, ...] = Field((2, 4, 8, 16), min_length=1, description="per layer, shallow first")
    kernel: int = Field(5, ge=1, description="odd kernel width, at least the stride")
    stride: int = Field(2, ge=1)
    shortcut: bool = Field(True, description="add every layer's rearranged input to its output")
    middle: int = Field(512, ge=1, description="hidden width of the dense blocks at the bottleneck")
    middle_blocks: int = Field(
        2, ge=0, le=1024, description="dense blocks at the bottleneck; 0 leaves convolutions alone"
    )

    @model_validator(mode="after")
    def _sizes_fit(self) -> "UNetConfig":
        if self.kernel % 2 == 0 or self.kernel < self.stride:
            raise ValueError(f"kernel {self.kernel} must be odd and at least the stride {self.stride}")
        return self


class MlpConfig(DenoiserBase):
    """Residual perceptron over the whole latent: the fast recipe for latents of up to some hundred numbers.

    300 noisy points of a curve in 64 dimensions are learnt in about 15 s on one core with `loop: {iterations: 1500,
    optimiser: {lr: 3.0e-3}}`, by `sample` or `v_prediction`; more iterations draw samples closer to the training set.
    """

    kind: Literal["mlp"] = "mlp"
    width: int = Field(256, ge=1, description="features that the blocks add to")
    hidden: int = Field(512, ge=1, description="hidden width of a block")
    blocks: int = Field(2, ge=1, le=1024)


class PDiffConfig(DenoiserBase):
    """p-diff's denoiser: convolutions of stride 1 over the latent as a signal with one channel (§2.4; METHODS 2).

    With the default channels it takes .6 GFLOP per latent of 128 numbers and step. p-diff's Table 5d trains it with
    `prediction: epsilon`, `snr_cap: null` and `loop: {iterations: 1000, batch_size: 50, optimiser: {lr: 1.0e-4,
    weight_decay: 0}, schedule: {kind: cosine, warmup: 0}, ema: null}`, and samples with `{kind: ddpm, steps: 1000}`.
    """

    kind: Literal["pdiff"] = "pdiff"
    channels: tuple[Positive, ...] = Field(
        (64, 128, 256, 512), min_length=1, description="of the first half of the layers; the second mirrors them to 1"
    )
    kernel: int = Field(7, ge=1, description="odd kernel width")

    @model_validator(mode="after")
    def _kernel_is_odd(self) -> "PDiffConfig":
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel {self.kernel} must be odd")
        return self


class TokensConfig(DenoiserBase):
    """Perceptron over tokens with shared weights and one summary of them all, for latents of up to some 100,000
    numbers: memory grows linearly with the latent, parameters by `width` numbers per token."""

    kind: Literal["tokens"] = "tokens"
    token: int = Field(16, ge=1, description="numbers per token; with a chunked autoencoder those of one chunk")
    width: int = Field(64, ge=1, description="features per token")
    summary: int = Field(256, ge=1, description="features of the summary")
    blocks: int = Field(3, ge=1, le=1024)
    recompute: bool = Field(False, description="keep no features for the backward pass: less memory, a third more time")


DenoiserConfig = Annotated[UNetConfig | MlpConfig | PDiffConfig | TokensConfig, Field(discriminator="kind")]
