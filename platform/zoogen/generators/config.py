"""Configuration of generators: one model per kind."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from zoogen.config import Config
from zoogen.generators.denoiser_config import ConditionConfig, DenoiserConfig, UNetConfig
from zoogen.generators.flow.config import AdaptiveStepsConfig, FixedStepsConfig, FlowConfig
from zoogen.generators.noise import LEAST_SIGNAL, MOST_SIGNAL, Spacing, signal_left
from zoogen.generators.source.config import SourceConfig
from zoogen.training.config import AdamWConfig, EmaConfig, LoopConfig, ScheduleConfig

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


SamplerSettings = SamplerConfig | FixedStepsConfig | AdaptiveStepsConfig  # of any generator of latents
LatentGeneratorConfig = DiffusionConfig | FlowConfig

# A further kind joins here and as a case of `stored.read_generator`; one of latents also in `build.build_generator`.
GeneratorConfig = Annotated[DiffusionConfig | FlowConfig | SourceConfig, Field(discriminator="kind")]
