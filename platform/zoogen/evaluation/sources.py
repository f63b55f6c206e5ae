"""What an evaluation needs of a zoo, a generator and an autoencoder, and no more."""

from typing import Protocol

from torch import Tensor

from zoogen.weights.target import Target
from zoogen.zoo.plan import Split


class Checkpoints(Protocol):
    """Checkpoints of one structure and split: `weights` [R, D], `runs` [R], `steps` [R], seconds of all runs."""

    @property
    def weights(self) -> Tensor: ...

    @property
    def runs(self) -> Tensor: ...

    @property
    def steps(self) -> Tensor: ...

    @property
    def training_seconds(self) -> float: ...


class Plan(Protocol):
    """Which structures and runs a zoo has."""

    @property
    def structures(self) -> tuple[str, ...]: ...

    @property
    def digest(self) -> str: ...

    def runs_of(self, split: Split) -> tuple[int, ...]: ...


class CheckpointSource(Protocol):
    """A zoo to read from."""

    @property
    def plan(self) -> Plan: ...

    def select(self, structure: str, split: Split) -> Checkpoints:
        """The checkpoints of a structure in a split; those of `train` are what the generator learnt from."""
        ...


class Generator(Protocol):
    """Whatever makes weights for a target."""

    def generate(self, target: Target, count: int, seed: int, device: str) -> Tensor:
        """New weights, [count, D]."""
        ...


class Codec(Protocol):
    """Weights to latents and back."""

    def encode(self, target: Target, weights: Tensor) -> Tensor:
        """[R, D] to [R, L]."""
        ...

    def decode(self, target: Target, latents: Tensor) -> Tensor:
        """[R, L] to [R, D]."""
        ...
