"""Configuration of generators: one model per kind."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from zoogen.config import Config
from zoogen.training.config import AdamWConfig, EmaConfig, LoopConfig, ScheduleConfig

Positive = Annotated[int, Field(ge=1)]
Prediction = Literal["epsilon", "sample", "v_prediction"]


class SamplerConfig(Config):
    """How latents are drawn: ancestral (DDPM) or implicit (DDIM, Song et al. 2021) with fewer steps."""

    kind: Literal["ddpm", "ddim"] = "ddim"
    steps: int = Field(50, ge=1, description="denoising steps, at most the diffusion's")
    eta: float = Field(0.0, ge=0, le=1, description="share of ancestral noise in DDIM; 0 is deterministic")
    spacing: Literal["leading", "trailing", "linspace"] = Field(
        "leading", description="which of the diffusion's time steps the sampler visits"
    )


class ConditionConfig(Config):
    """How the structure enters (GenFlowNet §2.3: an encoder of c in R^4, added to the denoiser's features)."""

    transform: Literal["none", "log"] = Field("log", description="map applied before standardising each number")
    width: int = Field(128, ge=1, description="hidden width of the structure encoder")


class UNetConfig(Config):
    """Conditional Conv1d U-Net over the latent vector as a signal with one channel.

    The paper says four layers of one-dimensional convolutions and no more; `shortcut: false` and `middle_blocks: 0`
    is the plain reading of it.
    """

    channels: tuple[Positive, ...] = Field((2, 4, 8, 16), min_length=1, description="per layer, shallow first")
    kernel: int = Field(5, ge=1, description="odd kernel width, at least the stride")
    stride: int = Field(2, ge=1)
    shortcut: bool = Field(True, description="add every layer's rearranged input to its output")
    middle: int = Field(512, ge=1, description="hidden width of the dense blocks at the bottleneck")
    middle_blocks: int = Field(2, ge=0, description="dense blocks at the bottleneck; 0 leaves convolutions alone")
    embedding: int = Field(64, ge=2, description="width of the embedding of time and structure; even")

    @model_validator(mode="after")
    def _sizes_fit(self) -> "UNetConfig":
        if self.kernel % 2 == 0 or self.kernel < self.stride:
            raise ValueError(f"kernel {self.kernel} must be odd and at least the stride {self.stride}")
        if self.embedding % 2:
            raise ValueError(f"embedding {self.embedding} must be even")
        return self


class DiffusionConfig(Config):
    """Latent denoising diffusion (Ho et al. 2020) with GenFlowNet's noise schedule (Table 8).

    The defaults are a fast recipe (about a minute on one core). Predicting the sample is what makes it fast: the
    latents of converged checkpoints form tight clusters, so at low noise the sample is known exactly, while epsilon
    and v must be read from differences that are small beside it. The paper's recipe is `prediction: epsilon`,
    `snr_cap: null` and `loop: {iterations: 30000, batch_size: 200, optimiser: {lr: 1.0e-3}, schedule: {kind:
    constant, warmup: 0}, ema: {decay: 0.9999, warmup: false}}`.
    """

    kind: Literal["diffusion"] = "diffusion"
    timesteps: int = Field(1000, ge=2, description="T, steps of the noising process")
    beta_start: float = Field(1e-4, gt=0, lt=1)
    beta_end: float = Field(2e-2, gt=0, lt=1)
    prediction: Prediction = Field("sample", description="what the denoiser predicts; the paper: epsilon")
    snr_cap: float | None = Field(
        10.0, gt=0, description="weigh the implied sample's error by at most this; null: equal weights, as in the paper"
    )
    denoiser: UNetConfig = UNetConfig()
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
            raise ValueError(f"sampler.steps {self.sampler.steps} exceeds timesteps {self.timesteps}")
        return self


# A further kind joins as `Annotated[DiffusionConfig | OtherConfig, Field(discriminator="kind")]` here and as a case
# of `build.build_generator`.
GeneratorConfig = DiffusionConfig
