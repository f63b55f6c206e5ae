"""Configuration of generators: one model per kind."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from zoogen.config import Config
from zoogen.generators.noise import LEAST_SIGNAL, MOST_SIGNAL, Spacing, signal_left
from zoogen.generators.source.config import SourceConfig
from zoogen.training.config import AdamWConfig, EmaConfig, LoopConfig, ScheduleConfig

Positive = Annotated[int, Field(ge=1)]
Prediction = Literal["epsilon", "sample", "v_prediction"]


class SamplerConfig(Config):
    """How latents are drawn: ancestral (DDPM) or implicit (DDIM, Song et al. 2021) with fewer steps."""

    kind: Literal["ddpm", "ddim"] = "ddim"
    steps: int = Field(50, ge=1, description="denoising steps, at most the diffusion's")
    eta: float = Field(0.0, ge=0, le=1, description="share of ancestral noise in DDIM; 0 is deterministic")
    spacing: Spacing = Field("leading", description="which of the diffusion's time steps the sampler visits")
    guidance: float = Field(
        1.0,
        ge=0,
        description="weight of the condition (Ho & Salimans 2022); other than 1 needs condition.drop above 0",
        exclude_if=lambda value: value == 1,
    )


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


class DiffusionConfig(Config):
    """Latent denoising diffusion (Ho et al. 2020) with GenFlowNet's noise schedule (Table 8).

    The defaults are a fast recipe (about a minute on one core). Predicting the sample is what makes it fast: the
    latents of converged checkpoints form tight clusters, so at low noise the sample is known exactly, while epsilon
    and v must be read from differences that are small beside it. The paper's recipe is `prediction: epsilon`,
    `snr_cap: null` and `loop: {iterations: 30000, batch_size: 200, optimiser: {lr: 1.0e-3}, schedule: {kind:
    constant, warmup: 0}, ema: {decay: 0.9999, warmup: false}}`.
    """

    needs_autoencoder: ClassVar[bool] = True
    learns_from_zoo: ClassVar[bool] = True

    kind: Literal["diffusion"] = "diffusion"
    timesteps: int = Field(1000, ge=2, le=100_000, description="T, steps of the noising process")
    beta_start: float = Field(1e-4, ge=1e-6, lt=1, description="variance that the first step adds")
    beta_end: float = Field(2e-2, ge=1e-6, lt=1, description="and the last; fewer steps need more of it")
    prediction: Prediction = Field("sample", description="what the denoiser predicts; the paper: epsilon")
    snr_cap: float | None = Field(
        10.0, gt=0, description="weigh the implied sample's error by at most this; null: equal weights, as in the paper"
    )
    denoiser: DenoiserConfig = UNetConfig()
    condition: ConditionConfig = ConditionConfig()
    loop: LoopConfig = LoopConfig(
        iterations=3000,
        batch_size=64,
        optimiser=AdamWConfig(lr=5e-3),
        schedule=ScheduleConfig(kind="cosine", warmup=100),
        ema=EmaConfig(decay=0.999, warmup=True),
    )
    sampler: SamplerConfig = SamplerConfig()

    @model_validator(mode="after")
    def _sampler_fits(self) -> "DiffusionConfig":
        if self.sampler.steps > self.timesteps:
            raise ValueError(f"sampler.steps {self.sampler.steps} exceeds timesteps {self.timesteps}; lower it")
        if self.sampler.guidance != 1 and not self.condition.drop:
            raise ValueError(f"sampler.guidance {self.sampler.guidance:g} needs condition.drop above 0, such as 0.1")
        return self

    @model_validator(mode="after")
    def _noise_ends_in_noise(self) -> "DiffusionConfig":
        """Sampling begins with noise alone, so noising has to end there."""
        left = signal_left(self.timesteps - 1, self.timesteps, self.beta_start, self.beta_end)
        after = f"{left:.2g} of the signal is left after timesteps {self.timesteps} with beta_end {self.beta_end:g}"
        if left > MOST_SIGNAL:
            raise ValueError(f"{after}, at most {MOST_SIGNAL:g} may be; raise beta_end or timesteps")
        if left < LEAST_SIGNAL:
            raise ValueError(f"{after}, at least {LEAST_SIGNAL:g} must be; lower beta_end or timesteps")
        return self


# A further kind joins here and as a case of `stored.read_generator`; one of latents also in `build.build_generator`.
GeneratorConfig = Annotated[DiffusionConfig | SourceConfig, Field(discriminator="kind")]
