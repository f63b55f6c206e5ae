"""What the pool's workers do, in which order: structures are prepared, then their cohorts are trained."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from zoogen.tasks.base import ProgressCallback
from zoogen.tasks.records import CohortSpec


@dataclass(frozen=True)
class Preparation:
    """The making of what a structure's networks share (`Task.prepare`), before any of its cohorts is trained."""

    structure: str

    @property
    def digest(self) -> str:
        """Names it in progress and messages, as a cohort's digest does."""
        return f"prepare {self.structure}"


class Job(ABC):
    """Work on one structure that keeps its own result in the store, for example its evaluation.

    Attributes:
        structure: canonical name.
    """

    structure: str

    @property
    @abstractmethod
    def digest(self) -> str:
        """Names it in progress and messages."""

    @abstractmethod
    def run(self, device: str, progress: ProgressCallback) -> None:
        """Do it, unless the result is there.

        Raises:
            ZoogenError: it cannot be done.
        """


Work = CohortSpec | Preparation | Job


def title(work: Work) -> str:
    """For messages."""
    if isinstance(work, Job):
        return f"structure {work.structure}"
    if isinstance(work, Preparation):
        return f"the preparation of structure {work.structure}"
    return f"cohort {work.digest} of structure {work.structure}"


class WorkQueue:
    """Cohorts or jobs that wait, and the preparations that some of them wait for.

    Args:
        cohorts: in the order in which they should start.
        unprepared: their structures that have to be prepared first.
    """

    def __init__(self, cohorts: Sequence[CohortSpec | Job], unprepared: Sequence[str]) -> None:
        self._queue: deque[Work] = deque([*map(Preparation, unprepared), *cohorts])
        self._unprepared = set(unprepared)

    def __len__(self) -> int:
        return len(self._queue)

    def take(self) -> Work | None:
        """The first that can start; None if all that is left waits for a preparation."""
        for index, work in enumerate(self._queue):
            if isinstance(work, Preparation) or work.structure not in self._unprepared:
                del self._queue[index]
                return work
        return None

    def again(self, work: Work) -> None:
        """Back to the head: it was taken and its worker died."""
        self._queue.appendleft(work)

    def prepared(self, structure: str) -> None:
        """Its cohorts can start."""
        self._unprepared.discard(structure)

    def drop(self, structure: str) -> None:
        """Its preparation failed, so none of its cohorts can be trained."""
        self._queue = deque(work for work in self._queue if work.structure != structure)

    def clear(self) -> None:
        self._queue.clear()
