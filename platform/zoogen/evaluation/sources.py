"""What an evaluation needs of a zoo, a generator and an autoencoder, and no more."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor

from zoogen.splits import Split
from zoogen.weights.target import Target


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

    def runs_of(self, split: Split, structure: str | None = None) -> tuple[int, ...]: ...


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


@runtime_checkable
class TaughtGenerator(Generator, Protocol):
    """A generator that says what it was taught."""

    @property
    def structures(self) -> Sequence[str]:
        """Canonical names."""
        ...


@runtime_checkable
class TracedGenerator(Generator, Protocol):
    """A generator that tells what its networks were like on their way."""

    def trajectory(self, target: Target, count: int, seed: int, points: int, device: str) -> list[tuple[int, Tensor]]:
        """Weights [count, D] decoded after so many denoising steps, about `points` times, from 0 to the last."""
        ...


class Codec(Protocol):
    """Weights to latents and back."""

    def encode(self, target: Target, weights: Tensor) -> Tensor:
        """[R, D] to [R, L]."""
        ...

    def decode(self, target: Target, latents: Tensor) -> Tensor:
        """[R, L] to [R, D]."""
        ...

    def sample_prior(self, target: Target, count: int, seed: int) -> Tensor:
        """Weights [count, D] of latents that the autoencoder alone says are likely."""
        ...
