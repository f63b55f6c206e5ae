"""Configuration of the generator from sources to weights."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from zoogen.config import Config
from zoogen.training.config import AdamWConfig, LoopConfig, ScheduleConfig


class SourceConfig(Config):
    """Weights = source + network(coordinates, source), token by token, taught by what the networks do.

    The source of a network is an initialisation that means the same in every structure (`Task.aligned`), so that a new
    one gives a new network, also of a structure that was not taught. It needs no autoencoder.
    """

    needs_autoencoder: ClassVar[bool] = False
    sampler: ClassVar[None] = None  # nothing of how networks are drawn is configured beside the training

    kind: Literal["source"] = "source"
    teacher: Literal["zoo", "exact"] = Field(
        "zoo",
        description="whose outputs are learnt: the zoo's training checkpoints, or the optimum, where it is known",
    )
    draws: Literal["fresh", "fixed"] = Field(
        "fresh", description="a new source for every network, or one for all: then a structure has one network"
    )
    structures: tuple[str, ...] = Field(
        (), description="what is taught; empty: the structures of the zoo; others than those need teacher exact"
    )
    pool: int = Field(2048, ge=1, description="inputs that are drawn once for each structure")
    states: int = Field(256, ge=1, description="of them, in the loss of an iteration for each of its structures")
    penalty: float = Field(1e-3, ge=0, description="weight of the mean squared change of the source beside the loss")
    width: int = Field(256, ge=1, le=65_536, description="features of a token")
    blocks: int = Field(2, ge=0, le=256, description="residual blocks")
    loop: LoopConfig = Field(
        LoopConfig(
            iterations=3000,
            batch_size=4,
            optimiser=AdamWConfig(lr=1e-3, weight_decay=0),
            schedule=ScheduleConfig(kind="cosine", warmup=100),
            clip=1.0,
        ),
        description="its batch_size counts structures, each with a source of its own",
    )

    @property
    def learns_from_zoo(self) -> bool:
        """Whether training reads the zoo's checkpoints."""
        return self.teacher == "zoo"

    @model_validator(mode="after")
    def _states_fit(self) -> "SourceConfig":
        if self.states > self.pool:
            raise ValueError(f"states {self.states} of an iteration are more than the pool of {self.pool}; raise pool")
        return self
