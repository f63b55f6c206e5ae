"""How far the building of a zoo has come."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ZooProgress:
    """A snapshot for a progress bar.

    Attributes:
        cohorts_done: parts that are in the store, reused ones included.
        cohorts_expected: parts of the whole zoo.
        fraction: share of the whole zoo that is done, running cohorts counted in part, in [0, 1].
        workers: workers that are training right now.
        checkpoints: checkpoints committed since the start.
        checkpoints_per_second: their rate, running cohorts counted in part; 0 while unknown.
        loss: mean of the latest losses of the running cohorts, NaN if they report none.
        seconds: time since the start.
        seconds_left: estimate, NaN while unknown.
        message: a remark for the user (a worker died, waiting for workers), or empty.
        prepared: share that is done of what is being prepared (`Task.prepare`) right now, NaN if nothing is.
        silent: workers that have given no sign of life for a while.
    """

    cohorts_done: int
    cohorts_expected: int
    fraction: float
    workers: int
    checkpoints: int
    checkpoints_per_second: float
    loss: float
    seconds: float
    seconds_left: float
    message: str = ""
    prepared: float = math.nan
    silent: int = 0


ZooProgressCallback = Callable[[ZooProgress], None]


@dataclass
class ProgressMeter:
    """Turns reports of running cohorts into `ZooProgress` snapshots."""

    expected: int
    reused: int
    clock: Callable[[], float] = time.monotonic
    finished: int = 0
    checkpoints: int = 0
    running: dict[str, tuple[float, float]] = field(default_factory=dict)  # cohort digest: fraction, loss
    preparing: dict[str, tuple[float, float]] = field(default_factory=dict)  # the same of preparations; no cohorts
    silent: int = 0
    _start: float = field(init=False)

    def __post_init__(self) -> None:
        self._start = self.clock()

    def start(self, cohort: str) -> None:
        self.running[cohort] = (0.0, math.nan)

    def prepare(self, name: str) -> None:
        """Something that cohorts share is being made; it counts as no cohort, and `lost` ends it."""
        self.preparing[name] = (0.0, math.nan)

    def update(self, name: str, done: int, total: int, figures: Mapping[str, float]) -> None:
        """`done` of `total` iterations of a running cohort or preparation."""
        for under_way in (self.running, self.preparing):
            if name in under_way:
                under_way[name] = (min(1.0, done / total) if total else 0.0, float(figures.get("loss", math.nan)))

    def lost(self, name: str) -> None:
        """A cohort that stopped without a part, or a preparation that ended."""
        self.running.pop(name, None)
        self.preparing.pop(name, None)

    def finish(self, cohort: str, checkpoints: int) -> None:
        self.running.pop(cohort, None)
        self.finished += 1
        self.checkpoints += checkpoints

    def snapshot(self, message: str = "") -> ZooProgress:
        seconds = self.clock() - self._start
        partly = sum(fraction for fraction, _ in self.running.values())
        done, missing = self.finished + partly, self.expected - self.reused
        per_cohort = self.checkpoints / self.finished if self.finished else 0.0
        under_way = [*self.running.values(), *self.preparing.values()]
        losses = [loss for _, loss in under_way if math.isfinite(loss)]
        prepared = [fraction for fraction, _ in self.preparing.values()]
        return ZooProgress(
            cohorts_done=self.reused + self.finished,
            cohorts_expected=self.expected,
            fraction=(self.reused + done) / self.expected if self.expected else 1.0,
            workers=len(under_way),
            checkpoints=self.checkpoints,
            checkpoints_per_second=(self.checkpoints + partly * per_cohort) / seconds if seconds > 0 else 0.0,
            loss=sum(losses) / len(losses) if losses else math.nan,
            seconds=seconds,
            seconds_left=seconds * (missing - done) / done if done > 0 else math.nan,
            message=message,
            prepared=sum(prepared) / len(prepared) if prepared else math.nan,
            silent=self.silent,
        )
