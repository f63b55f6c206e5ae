"""Signs of life of a worker, and when it counts as hanging."""

from dataclasses import dataclass
from typing import Any

from zoogen.orchestration.config import PoolConfig
from zoogen.orchestration.work import Work
from zoogen.orchestration.worker import WorkerProgress

WORKING = 0.05  # share of one core from which on a processor is at work; answering the driver takes less
_HELD_UP = 5.0  # seconds between two looks, after which the driver itself was stopped or had no processor
_FIRST_NOTICE = 60.0  # seconds of silence that the user is told of, or half the limit if that is less


class Life:
    """What is known of a worker since it got its work. Times are those of `time.monotonic`.

    Args:
        config: how long it may be silent.
        now: when it got its work.
    """

    def __init__(self, config: PoolConfig, now: float) -> None:
        self._config = config
        self._progressed = self._working = self._heard = self._looked = now
        self._beats, self._processor_seconds = -1, 0.0
        self._quiet = self._notice = min(_FIRST_NOTICE, config.heartbeat_s / 2)

    def hear(self, answer: WorkerProgress, now: float) -> None:
        """A long computation reports nothing, and its processor is at work; what hangs does neither."""
        if answer.beats != self._beats:
            self._progressed = self._working = now
        elif answer.processor_seconds - self._processor_seconds >= WORKING * (now - self._heard):
            self._working = now
        self._heard, self._beats, self._processor_seconds = now, answer.beats, answer.processor_seconds

    def silent(self, now: float) -> bool:
        """Whether there has been no sign of life for long enough to be told."""
        return now - self._working >= self._quiet

    def hangs(self, now: float) -> str:
        """Why the worker counts as hanging, empty if it does not. To be asked often: time in which nobody asked, as
        the driver was stopped, is not held against the worker."""
        if (lost := now - self._looked) > _HELD_UP:
            self._progressed, self._working = min(now, self._progressed + lost), min(now, self._working + lost)
        self._looked = now
        if now - self._working > self._config.heartbeat_s:
            return f"no sign of life for {now - self._working:.0f} s, see pool.heartbeat_s"
        if now - self._progressed > self._config.progress_s:
            return f"no progress for {now - self._progressed:.0f} s, see pool.progress_s"
        return ""

    def notice(self, now: float) -> str:
        """What is to be told of its silence, each time after twice as long; empty if there is nothing new."""
        silence = now - self._working
        if silence < self._notice:
            return ""
        self._notice = 2 * silence
        return f"no sign of life for {silence:.0f} s; its worker is replaced after {self._config.heartbeat_s:.0f} s"


@dataclass(eq=False)
class Member:
    """A worker's handle; it gets work once it has answered, so that one that finds no place holds none back."""

    handle: Any
    ready: bool = False
    process: int = 0
    node: str = ""
    work: Work | None = None
    polled: bool = False
    life: Life | None = None

    def end(self, ray: Any) -> None:
        """Kill it. A process that has been stopped does not hear of Ray's asking: its machine does it."""
        ray.kill(self.handle)
        if self.node:
            from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

            place = NodeAffinitySchedulingStrategy(self.node, soft=False)
            ray.remote(_kill).options(num_cpus=0, max_retries=0, scheduling_strategy=place).remote(self.process)


def _kill(process: int) -> None:
    import os
    import signal
    from contextlib import suppress

    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
