"""What a stage tells the tracking, and a tracker that listens to nothing."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from zoogen.evaluation.result import Evaluation
from zoogen.exits import Exit, signals_raise, stopped_by

State = Literal["FINISHED", "FAILED", "KILLED"]
Split = Literal["train", "val", "test"]

PIPELINE = "pipeline"


class Run(ABC):
    """One tracked run. Telling it the same thing twice is as good as once.

    Attributes:
        reused: set it when the stage had nothing to do, so that the run keeps its earlier end.
        recorded: whether an earlier go has recorded everything. Work that is done is no sign of it: the store may have
            been away. Unless it is, a stage that reuses its artifact tells the run of it once more.
    """

    reused: bool = False
    recorded: bool = False

    @abstractmethod
    def params(self, settings: Mapping[str, Any]) -> None:
        """Settings, nested or flat."""

    @abstractmethod
    def tags(self, tags: Mapping[str, str]) -> None:
        """Remarks by which runs are found."""

    @abstractmethod
    def metrics(self, figures: Mapping[str, float], step: int = 0, split: Split | None = None) -> None:
        """Figures at a step, under `train/`, `val/` or `test/` if a split is named."""

    @abstractmethod
    def history(self, points: Sequence[Mapping[str, float]], split: Split | None = None, prefix: str = "") -> None:
        """Figures of a whole training, each point with its `step`; what the run has of them is not repeated."""

    @abstractmethod
    def dataset(self, name: str, digest: str, source: str, context: str = "training") -> None:
        """An input: its name, digest and where it lies."""

    @abstractmethod
    def text(self, name: str, content: str) -> None:
        """A text file as artifact; `name` may hold folders."""

    @abstractmethod
    def files(self, paths: Sequence[Path], folder: str = "") -> None:
        """Files as artifacts."""

    @abstractmethod
    def zoo_rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """One row per checkpoint: the table as artifact, each structure's and split's medians as metrics.

        Rows have `label` (or `structure`), `split`, and metrics as numbers under keys with a dot.
        """

    @abstractmethod
    def evaluation(self, evaluation: Evaluation, report: Sequence[Path] = ()) -> None:
        """Medians as metrics `test/<label>/<method>/<metric>`, the report's files as artifacts."""

    @abstractmethod
    def results(self, evaluation: Evaluation, params: Mapping[str, str] | None = None) -> None:
        """Every structure's and method's medians as a small run of its own, to be compared in the UI.

        `params` are further parameters of all of them, for example the trial of a sweep.
        """

    @abstractmethod
    def finish(self, state: State, error: str = "") -> None:
        """End the run in its true state."""


class Tracker(ABC):
    """Makes runs: one per pipeline, and one per stage below it."""

    @contextmanager
    def pipeline(
        self,
        digest: str,
        *,
        name: str = PIPELINE,
        config: Mapping[str, Any],
        tags: Mapping[str, str] | None = None,
        stage: str = PIPELINE,
    ) -> Iterator[Run]:
        """The run of a pipeline, or of another `stage` with stages below it; those opened within belong to it.

        Args:
            digest: identity; the same one continues the same run.
            name: shown in the UI.
            config: resolved configuration, logged as parameters and as an artifact.
            tags: further tags.
            stage: what kind of work it is.
        """
        with self.stage(stage, digest, name=name, params=config, tags=tags) as run:
            try:
                self._enter(run)
                yield run
            finally:
                self._leave()

    @contextmanager
    def stage(
        self,
        stage: str,
        digest: str,
        *,
        name: str | None = None,
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Iterator[Run]:
        """The run of a stage. It ends FINISHED, FAILED on an exception, or KILLED when interrupted."""
        with signals_raise():
            run = self._open(stage, digest, name or stage, params or {}, tags or {})
            try:
                yield run
            except BaseException as error:
                run.finish(_state_of(error), f"{type(error).__name__}: {error}")
                raise
            run.finish("FINISHED")

    @abstractmethod
    def _open(self, stage: str, digest: str, name: str, params: Mapping[str, Any], tags: Mapping[str, str]) -> Run: ...

    @abstractmethod
    def _enter(self, run: Run) -> None:
        """The pipeline's run has begun."""

    @abstractmethod
    def _leave(self) -> None:
        """The pipeline's run is about to end."""

    @abstractmethod
    def ui_command(self) -> str | None:
        """The command that opens the UI, or its address; None if there is none."""


def _state_of(error: BaseException) -> State:
    if stopped_by(error) is not None:
        return "KILLED"
    return "FINISHED" if isinstance(error, SystemExit) and error.code in (None, Exit.DONE) else "FAILED"


class NullRun(Run):
    """Drops everything."""

    recorded = True  # nothing can be added

    def params(self, settings: Mapping[str, Any]) -> None:
        pass

    def tags(self, tags: Mapping[str, str]) -> None:
        pass

    def metrics(self, figures: Mapping[str, float], step: int = 0, split: Split | None = None) -> None:
        pass

    def history(self, points: Sequence[Mapping[str, float]], split: Split | None = None, prefix: str = "") -> None:
        pass

    def dataset(self, name: str, digest: str, source: str, context: str = "training") -> None:
        pass

    def text(self, name: str, content: str) -> None:
        pass

    def files(self, paths: Sequence[Path], folder: str = "") -> None:
        pass

    def zoo_rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        pass

    def evaluation(self, evaluation: Evaluation, report: Sequence[Path] = ()) -> None:
        pass

    def results(self, evaluation: Evaluation, params: Mapping[str, str] | None = None) -> None:
        pass

    def finish(self, state: State, error: str = "") -> None:
        pass


class NullTracker(Tracker):
    """Tracks nothing."""

    def _open(self, stage: str, digest: str, name: str, params: Mapping[str, Any], tags: Mapping[str, str]) -> Run:
        return NullRun()

    def _enter(self, run: Run) -> None:
        pass

    def _leave(self) -> None:
        pass

    def ui_command(self) -> str | None:
        return None
