"""A method on one structure: the promise of weights, and the weights."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor

from zoogen.evaluation.structure import StructureData


@dataclass(frozen=True)
class Candidates:
    """Networks of one method.

    Attributes:
        method: name of the method.
        weights: [K, D] on the CPU.
        training: seconds of conventional training per network, None if unknown or not trained.
        generating: seconds that making them took, None if they were read.
        notices: one-line remarks.
        rows: which training checkpoints they are, [K] int64; None where they are others.
    """

    method: str
    weights: Tensor
    training: float | None = None
    generating: float | None = None
    notices: tuple[str, ...] = ()
    rows: Tensor | None = None


@dataclass(frozen=True)
class Candidate:
    """A method whose weights are yet to be made: `make` does the work."""

    method: str
    make: Callable[[], Candidates]


FamilyMembers = Callable[[StructureData], Iterator[Candidate]]  # the methods of a family that are possible there


def calculated(method: str, make: Callable[[], Tensor], notices: tuple[str, ...] = ()) -> Candidate:
    """A method that calculates its weights, with the time that this takes."""

    def timed() -> Candidates:
        begin = time.perf_counter()
        weights = make().detach().cpu()
        return Candidates(method, weights, generating=time.perf_counter() - begin, notices=notices)

    return Candidate(method, timed)


def shortage(data: StructureData, rows: int, runs: int) -> tuple[str, ...]:
    """A notice where there are fewer checkpoints than networks asked for."""
    if rows >= data.config.count:
        return ()
    return (f"only {rows} checkpoints of {runs} runs, fewer than the {data.config.count} asked for",)
