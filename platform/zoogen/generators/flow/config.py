"""Configuration of flow matching on latents."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from zoogen.config import Config
from zoogen.generators.denoiser_config import ConditionConfig, DenoiserConfig, MlpConfig
from zoogen.training.config import AdamWConfig, EmaConfig, LoopConfig, ScheduleConfig


class FixedStepsConfig(Config):
    """A solver with so many equal steps: the first-order one, or the one that looks at the middle of each step."""

    kind: Literal["euler", "midpoint"] = "euler"
    steps: int = Field(100, ge=1, le=100_000, description="of equal length")
    guidance: float = Field(
        1.0,
        ge=0,
        description="weight of the condition; other than 1 needs condition.drop above 0",
        exclude_if=lambda value: value == 1,
    )


class AdaptiveStepsConfig(Config):
    """Dormand and Prince's solver of order 5, whose steps keep the local error below its tolerances."""

    kind: Literal["dopri5"] = "dopri5"
    rtol: float = Field(1e-5, gt=0, lt=1)
    atol: float = Field(1e-5, gt=0, lt=1)
    guidance: float = Field(1.0, ge=0, exclude_if=lambda value: value == 1)


SolverConfig = Annotated[FixedStepsConfig | AdaptiveStepsConfig, Field(discriminator="kind")]


class FlowConfig(Config):
    """Latent conditional flow matching (Lipman et al. 2023; FLoWN §2.1): a velocity that carries a start distribution
    to the latents of checkpoints along straight paths."""

    needs_autoencoder: ClassVar[bool] = True
    learns_from_zoo: ClassVar[bool] = True

    kind: Literal["flow"] = "flow"
    coupling: Literal["independent", "within-condition"] = Field(
        "independent",
        description="which start goes to which latent: any, or those of the batch with the same condition by optimal "
        "transport (over all of a batch it would change what a condition means)",
    )
    sigma: float = Field(0.0, ge=0, le=1, description="standard deviation of the noise around a path")
    field: DenoiserConfig = Field(MlpConfig(embedding=128, blocks=4), description="network of the velocity")
    condition: ConditionConfig = ConditionConfig()
    loop: LoopConfig = LoopConfig(
        iterations=3000,
        batch_size=128,
        optimiser=AdamWConfig(lr=2e-3),
        schedule=ScheduleConfig(kind="cosine", warmup=100),
        ema=EmaConfig(decay=0.999, warmup=True),
    )
    sampler: SolverConfig = FixedStepsConfig()

    @model_validator(mode="after")
    def _guidance_fits(self) -> "FlowConfig":
        if self.sampler.guidance != 1 and not self.condition.drop:
            raise ValueError(f"sampler.guidance {self.sampler.guidance:g} needs condition.drop above 0, such as 0.1")
        return self
