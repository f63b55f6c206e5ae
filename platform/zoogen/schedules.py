"""How a training goes on: the learning rate over its iterations, and after which of them checkpoints are taken."""

import math
from typing import Literal

Schedule = Literal["constant", "linear", "cosine"]


def schedule_factor(schedule: Schedule, done: float) -> float:
    """Learning rate after a share `done` (0 to 1) of a training, as a fraction of its first value: constant, or falling
    to zero."""
    if schedule == "constant":
        return 1.0
    return (1 + math.cos(math.pi * done)) / 2 if schedule == "cosine" else 1 - done


def last_steps(iterations: int, checkpoints: int, window: float) -> list[int]:
    """Iterations (counted from 1) after which checkpoints are taken, ascending and distinct: evenly spaced over the
    last `window` (0 to 1) of the iterations, the last one being the end."""
    span = min(iterations, max(checkpoints, round(iterations * window)))
    count = min(checkpoints, span)
    return [iterations - span + span * (i + 1) // count for i in range(count)]
