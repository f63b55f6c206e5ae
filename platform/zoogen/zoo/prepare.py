"""Before cohorts are trained: what the networks of a structure share is made once (`Task.prepare`)."""

import time
from collections.abc import Iterable

from zoogen.tasks.base import ProgressCallback, Task
from zoogen.tasks.records import CohortSpec
from zoogen.zoo.progress import ProgressMeter, ZooProgressCallback

PROGRESS_INTERVAL = 0.25  # seconds between two calls of a progress callback


def unprepared(task: Task, cohorts: Iterable[CohortSpec]) -> tuple[str, ...]:
    """Structures of these cohorts for which something is to be made first, in the order of the cohorts."""
    return tuple(name for name in dict.fromkeys(c.structure for c in cohorts) if not task.prepared(name))


def preparing(label: str) -> str:
    """What is said while a structure is prepared."""
    return f"preparing {label}"


def prepare_serially(
    task: Task,
    cohorts: Iterable[CohortSpec],
    meter: ProgressMeter,
    progress: ZooProgressCallback | None,
    *,
    device: str = "cpu",
) -> None:
    """Prepare the structures of these cohorts in this process, one after the other."""
    for name in unprepared(task, cohorts):
        message = preparing(task.label(name))
        meter.prepare(name)
        if progress is not None:
            progress(meter.snapshot(message))
        task.prepare(name, device, relay(meter, name, progress, message))
        meter.lost(name)


def relay(
    meter: ProgressMeter, name: str, progress: ZooProgressCallback | None, message: str = ""
) -> ProgressCallback | None:
    """A task's callback that tells the meter of a cohort or preparation, and the user now and then."""
    if progress is None:
        return None
    last = -PROGRESS_INTERVAL

    def tell(done: int, total: int, figures: object) -> None:
        nonlocal last
        meter.update(name, done, total, figures)  # type: ignore[arg-type]
        if (now := time.monotonic()) - last >= PROGRESS_INTERVAL:
            last = now
            progress(meter.snapshot(message))

    return tell
