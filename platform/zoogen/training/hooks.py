"""Where the training loop meets its surroundings: logging, checkpoints, other workers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import nn

Figures = Mapping[str, float]


class LoopHooks(Protocol):
    """What a loop needs of whoever runs it.

    `on_log` and `on_checkpoint` are called by every rank at the same steps; none waits for another in them unless
    the implementation makes it so.
    """

    @property
    def rank(self) -> int:
        """This worker's number, from 0."""

    @property
    def world_size(self) -> int:
        """Number of workers that train together."""

    @property
    def initial_state(self) -> bytes | None:
        """A training state to go on from."""

    def on_log(self, step: int, total: int, figures: Figures) -> None:
        """Called with the mean figures since the last call; `step` of `total` iterations are done."""

    def on_checkpoint(self, state: bytes, step: int, figures: Figures) -> None:
        """Called with the training state, from which `initial_state` resumes."""

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module to train through, for example in DistributedDataParallel; parameters stay the same objects."""


@dataclass
class LocalHooks:
    """One worker in this process; callbacks are optional.

    Attributes:
        log: called as `on_log`.
        checkpoint: called as `on_checkpoint`; without it checkpoints are dropped.
        initial_state: a training state to go on from.
    """

    log: Callable[[int, int, Figures], None] | None = None
    checkpoint: Callable[[bytes, int, Figures], None] | None = None
    initial_state: bytes | None = None
    rank: int = 0
    world_size: int = 1

    def on_log(self, step: int, total: int, figures: Figures) -> None:
        if self.log is not None:
            self.log(step, total, figures)

    def on_checkpoint(self, state: bytes, step: int, figures: Figures) -> None:
        if self.checkpoint is not None:
            self.checkpoint(state, step, figures)

    def wrap(self, module: nn.Module) -> nn.Module:
        return module
