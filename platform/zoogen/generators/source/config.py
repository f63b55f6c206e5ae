"""Configuration of the generator from sources to weights."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from zoogen.config import Config
from zoogen.training.config import LoopConfig, ScheduleConfig, SoapConfig


class SourceConfig(Config):
    """Weights = source + network(coordinates, source), token by token, taught by what the networks do.

    The source of a network is a fresh initialisation (`Task.sources`), one that means the same in every structure where
    the task has such; a new one gives a new network, also of a structure that was not taught. No autoencoder is needed.
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
    styles: int = Field(64, ge=1, le=4096, description="independent initial networks that sources are mixed from")
    amplitude: float = Field(0.7, gt=0, description="size of sources, in units of the task's own initial networks")
    networks: int = Field(2, ge=1, description="networks of each structure in an iteration; one where all are the same")
    diversity: float = Field(
        0.5, ge=0, lt=2, description="least distance of two networks of a structure, in units of their norm"
    )
    rearranged: float = Field(
        0.1,
        ge=0,
        le=1,
        description="share of lessons in which interchangeable parts carry other numbers than the first",
    )
    emphasis: float = Field(
        1.0,
        ge=0,
        le=1,
        description="structures are drawn in proportion to this power of the choices that make one object: 0 alike",
    )
    pool: int = Field(6000, ge=1, description="inputs that are drawn once for each structure")
    states: int = Field(256, ge=1, description="of them, in an iteration for each network")
    width: int = Field(256, ge=1, le=65_536, description="features of a token")
    blocks: int = Field(2, ge=0, le=256, description="residual blocks")
    gated: bool = Field(True, description="blocks multiply their features by gates (SwiGLU)")
    pooled: bool = Field(
        False,
        description="blocks also see the mean over all tokens of a network",
        exclude_if=lambda value: not value,
    )
    steps: int = Field(
        1, ge=1, le=64, description="integration steps from source to weights", exclude_if=lambda value: value == 1
    )
    loop: LoopConfig = Field(
        LoopConfig(
            iterations=20_000,
            batch_size=6,
            optimiser=SoapConfig(lr=3e-3),
            schedule=ScheduleConfig(kind="cosine", warmup=200),
            clip=1.0,
        ),
        description="its batch_size counts structures",
    )

    @property
    def learns_from_zoo(self) -> bool:
        """Whether training reads the zoo's checkpoints."""
        return self.teacher == "zoo"

    @property
    def networks_at_once(self) -> int:
        """Networks of each structure in an iteration."""
        return 1 if self.draws == "fixed" else self.networks

    @model_validator(mode="after")
    def _states_fit(self) -> "SourceConfig":
        if self.states > self.pool:
            raise ValueError(f"states {self.states} of an iteration are more than the pool of {self.pool}; raise pool")
        return self
