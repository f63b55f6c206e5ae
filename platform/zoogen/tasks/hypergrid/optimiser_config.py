"""Configuration of the optimiser of policies."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from zoogen.config import Config
from zoogen.schedules import Schedule, schedule_factor

Fraction = Annotated[float, Field(ge=0, lt=1)]


class OptimiserConfig(Config):
    """Optimiser and learning-rate schedule of a policy.

    Attributes:
        kind: `adamw` decouples `weight_decay` from the gradient, the others add it to the gradient.
        learning_rate: of policies and state flows; several values go to the runs in turn.
        log_z_learning_rate: of log Z (trajectory balance).
        schedule: factor on both rates, from 1 at the first iteration to `final_factor` after the last.
    """

    kind: Literal["sgd", "adam", "adamw"] = "adam"
    learning_rate: float | tuple[float, ...] = 3e-3
    log_z_learning_rate: float = Field(default=0.1, gt=0)
    momentum: float = Field(default=0.0, ge=0, lt=1)
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    eps: float = Field(default=1e-8, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    schedule: Schedule = "linear"
    final_factor: float = Field(default=0.0, ge=0, le=1)

    @model_validator(mode="after")
    def _positive_rates(self) -> "OptimiserConfig":
        if not self.rates or min(self.rates) <= 0:
            raise ValueError("learning_rate needs positive values")
        return self

    @property
    def rates(self) -> tuple[float, ...]:
        return self.learning_rate if isinstance(self.learning_rate, tuple) else (self.learning_rate,)

    def factor(self, iteration: int, iterations: int) -> float:
        """Schedule's factor at `iteration` (0 … iterations − 1)."""
        fall = schedule_factor(self.schedule, iteration / iterations)
        return self.final_factor + (1 - self.final_factor) * fall
