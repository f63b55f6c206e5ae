"""What runs in a worker of the pool: one cohort, preparation or job at a time, with its progress on call."""

import os
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TypeVar

from zoogen.errors import ZoogenError
from zoogen.numerics import deterministic
from zoogen.orchestration.sharing import Arrival, obstacle
from zoogen.orchestration.work import Job, Preparation, Work
from zoogen.secrets import mask_output, masked
from zoogen.tasks.base import ProgressCallback, Task
from zoogen.tasks.records import CohortSpec
from zoogen.zoo.build import PartReport, build_part
from zoogen.zoo.provenance import REVISION_VARIABLE, Provenance
from zoogen.zoo.store import ArtifactStore

Result = TypeVar("Result")


@dataclass(frozen=True)
class CohortFailure:
    """A cohort that cannot be built, or a structure that cannot be prepared: trying again would fail again.

    Attributes:
        work: digest of the specification or preparation.
        reason: one line.
    """

    work: str
    reason: str


@dataclass(frozen=True)
class WorkerProgress:
    """How far a worker's cohort or preparation is: `done` of `total` iterations, and figures such as the loss.

    Attributes:
        beats: grows with each sign that the work goes on.
        processor_seconds: of the worker's process so far.
        waiting: what it waits for, such as a store that is away; empty if for nothing.
    """

    work: str
    done: int
    total: int
    figures: Mapping[str, float]
    beats: int = 0
    processor_seconds: float = 0.0
    waiting: str = ""


class CohortWorker:
    """Builds cohorts of one task into one store, and does jobs. An actor with two threads: one works, one answers.

    Args:
        task: what to train.
        store: where parts go.
        shared: by which name the driver has marked the store, see `sharing.mark`.
        threads: torch threads.
        device: `cpu` or `cuda`.
        revision: git revision of the driver's source, which a worker may not have.
        determined: whether to take algorithms that give the same bits each time, as the driver does.
    """

    def __init__(
        self,
        task: Task,
        store: ArtifactStore,
        shared: str,
        threads: int,
        device: str,
        revision: str,
        determined: bool = False,
    ) -> None:
        import torch

        os.environ[REVISION_VARIABLE] = revision
        torch.set_num_threads(threads)
        mask_output()  # into the worker's log
        self._numerics = ExitStack()  # for as long as the worker lives
        self._numerics.enter_context(deterministic(determined))
        self._store, self._shared, self._threads, self._device = store, shared, threads, device
        self._store.say = self._wait
        self._task = task.using(self._store)
        self._provenance = Provenance.current()
        self._lock = threading.Lock()
        self._progress: WorkerProgress | None = None
        self._beats = 0

    def ready(self) -> Arrival:
        """Where it is, and whether it can work."""
        import ray

        return Arrival(os.getpid(), ray.get_runtime_context().get_node_id(), obstacle(self._store, self._shared))

    def prepare(self, work: Preparation) -> CohortFailure | None:
        """Make what the networks of a structure share. Errors come back as values, as of `build`."""
        return self._guarded(
            work, lambda progress: self._task.prepare(work.structure, device=self._device, progress=progress)
        )

    def build(self, spec: CohortSpec) -> PartReport | CohortFailure:
        """Train, judge and commit a cohort. Errors come back as values: they are not deaths."""
        return self._guarded(
            spec,
            lambda progress: build_part(
                self._task,
                spec,
                self._store,
                device=self._device,
                progress=progress,
                provenance=self._provenance,
            ),
        )

    def run(self, job: Job) -> CohortFailure | None:
        """Do a job, which keeps its own result. Errors come back as values, as of `build`."""
        return self._guarded(job, lambda progress: job.run(self._device, progress))

    def _guarded(self, work: Work, run: Callable[[ProgressCallback], Result]) -> Result | CohortFailure:
        import torch

        torch.set_num_threads(self._threads)  # of this thread, too
        self._note(work.digest, 0, 0, {})
        try:
            return run(lambda done, total, figures: self._note(work.digest, done, total, figures))
        except ZoogenError as error:
            return CohortFailure(work.digest, str(error))
        except Exception as error:
            traceback.print_exc()  # into the worker's log
            where = traceback.extract_tb(error.__traceback__)[-1]
            text = masked(" ".join(str(error).split()))[:200]
            return CohortFailure(
                work.digest, f"{type(error).__name__}: {text} ({os.path.basename(where.filename)}:{where.lineno})"
            )

    def progress(self) -> WorkerProgress | None:
        """The latest progress."""
        with self._lock:
            return self._progress and replace(self._progress, processor_seconds=time.process_time())

    def _note(self, work: str, done: int, total: int, figures: Mapping[str, float]) -> None:
        with self._lock:
            self._beats += 1
            self._progress = WorkerProgress(work, done, total, dict(figures), self._beats)

    def _wait(self, line: str) -> None:
        """The store is away and asked again: a sign of life, too."""
        with self._lock:
            self._beats += 1
            if self._progress is not None:
                self._progress = replace(self._progress, beats=self._beats, waiting=line)


def last_line(error: Exception) -> str:
    """What Ray says of a death, in short."""
    lines = [" ".join(line.split()) for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__).rstrip(".;")[:240]
