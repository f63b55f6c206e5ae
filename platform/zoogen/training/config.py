"""Configuration of the training loop."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from zoogen.config import Config
from zoogen.schedules import Schedule

Fraction = Annotated[float, Field(ge=0, lt=1)]


class AdamWConfig(Config):
    """AdamW (Loshchilov & Hutter 2019); the defaults are those of GenFlowNet, Table 8."""

    kind: Literal["adamw"] = "adamw"
    lr: float = Field(1e-3, gt=0)
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    weight_decay: float = Field(2e-6, ge=0)


class SoapConfig(Config):
    """SOAP (Vyas et al. 2024): Adam in the eigenbasis of Shampoo's preconditioner.

    Two to four times the time of a small network's step and several times fewer steps, where the loss has little noise
    and has to get very small: behaviour taught to a model that writes weights, above all.
    """

    kind: Literal["soap"] = "soap"
    lr: float = Field(3e-3, gt=0)
    betas: tuple[Fraction, Fraction] = (0.95, 0.95)
    weight_decay: float = Field(0.0, ge=0)
    frequency: int = Field(20, ge=1, description="steps between looks at the eigenbasis")


OptimiserConfig = Annotated[AdamWConfig | SoapConfig, Field(discriminator="kind")]


class ScheduleConfig(Config):
    """Learning rate over the iterations: a linear warm-up, then constant or falling to `floor` times the peak."""

    kind: Schedule = "constant"
    warmup: int = Field(0, ge=0, description="iterations over which the rate rises linearly from zero")
    floor: float = Field(0.0, ge=0, le=1, description="final rate as a fraction of the peak")


class EmaConfig(Config):
    """Exponential moving average of the parameters.

    With `warmup` the decay at step t is min(decay, (1 + t) / (10 + t)), so that short trainings are not dominated by
    the initial parameters.
    """

    decay: Fraction = 0.9999
    warmup: bool = False


class LoopConfig(Config):
    """One training: how long, on what batches, with what optimiser."""

    iterations: int = Field(30_000, ge=1)
    batch_size: int = Field(200, ge=1, description="samples per iteration, over all workers together")
    optimiser: OptimiserConfig = AdamWConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    clip: float | None = Field(None, gt=0, description="largest norm of the gradient; null leaves it alone")
    ema: EmaConfig | None = None
    precision: Literal["float32", "bf16"] = "float32"
    log_every: int = Field(100, ge=1, description="iterations between logged figures")
    checkpoint_every: int = Field(1000, ge=1, description="iterations between checkpoints of the training")

    @model_validator(mode="after")
    def _warmup_fits(self) -> "LoopConfig":
        if self.schedule.warmup > self.iterations:
            raise ValueError(f"schedule.warmup {self.schedule.warmup} is longer than {self.iterations} iterations")
        return self
