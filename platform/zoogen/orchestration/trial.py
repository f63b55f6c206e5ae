"""What a trial's function talks to: reports to the driver, and work that it shares with other trials."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

STEP = "step"  # key of a report: iterations done, the time of a scheduler
_WAIT_SECONDS = 0.2  # between two looks at an artifact that another trial makes


class TrialHandle:
    """What a trial's function talks to: reports, and work that it shares with other trials.

    Attributes:
        waited: seconds waited for other trials so far.
    """

    def __init__(self, name: str, leases: Any) -> None:
        self.name, self._leases = name, leases
        self.waited = 0.0

    def report(self, figures: Mapping[str, Any]) -> None:
        """Tell the driver. A scheduler judges figures that come with `STEP`, and may end the trial here: SystemExit."""
        from ray import tune

        tune.report(dict(figures))

    @contextmanager
    def exclusive(self, key: str, done: Callable[[], bool]) -> Iterator[None]:
        """Hold the work named `key` alone; a block that finds it `done` by another trial has nothing left to do."""
        import ray

        begin = time.perf_counter()
        while not (finished := done()) and not ray.get(self._leases.take.remote(key, self.name)):
            time.sleep(_WAIT_SECONDS)
        self.waited += time.perf_counter() - begin
        try:
            yield
        finally:
            if not finished:
                ray.get(self._leases.free.remote(self.name, key))


class Leases:
    """Actor that knows which trial does which shared work."""

    def __init__(self) -> None:
        self._holders: dict[str, str] = {}

    def take(self, key: str, trial: str) -> bool:
        return self._holders.setdefault(key, trial) == trial

    def free(self, trial: str, key: str | None = None) -> None:
        """Free one work of a trial, or all of it when the trial has ended."""
        self._holders = {k: t for k, t in self._holders.items() if t != trial or key not in (None, k)}
