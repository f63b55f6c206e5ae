"""Structures as units of work: each keeps its own result in the store, in this process or in a worker of the pool."""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import ClassVar, Generic, TypeVar, cast

from zoogen.artifact import Artifact
from zoogen.console import Console
from zoogen.errors import ZoogenError
from zoogen.evaluation.records import Record, record_bytes
from zoogen.orchestration.jobs import run_jobs
from zoogen.orchestration.work import Job
from zoogen.pipelines.config import PipelineConfig
from zoogen.pipelines.context import Study
from zoogen.pipelines.stored import say_damage, stored_record
from zoogen.tasks.base import ProgressCallback
from zoogen.training.hooks import Figures
from zoogen.zoo.progress import ProgressMeter, ZooProgress

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class StructureUnit(Job, Generic[R]):
    """One structure of a stage. It travels as configuration and keys: a worker reads models and checkpoints itself.

    Attributes:
        config: of the study.
        structure: canonical name.
        key: where the result belongs.
        model: class of the result.
    """

    model: ClassVar[type[Record]]

    config: PipelineConfig
    structure: str
    key: str

    @property
    def digest(self) -> str:
        return self.key

    @abstractmethod
    def result(self, study: Study, progress: ProgressCallback) -> R:
        """Work the structure out.

        Raises:
            ZoogenError: something that it reads is missing.
        """

    def stored(self, study: Study) -> Artifact[R]:
        """The result, as far as it is there and whole."""
        return cast(Artifact[R], stored_record(study, self.key, self.model))

    def run(self, device: str, progress: ProgressCallback) -> None:
        """In a worker: make what judging needs and no zoo has made, then the result."""
        with Study(self.config.model_copy(update={"device": device}), Console()) as study:
            study.make_ready([self.structure])
            self.keep(study, progress)

    def keep(self, study: Study, progress: ProgressCallback) -> None:
        """Put the result into the store, unless it is there and whole."""
        there = self.stored(study)
        if there.value is None:
            there.commit(record_bytes(self.result(study, progress), self.key))


def run_units(study: Study, title: str, units: Sequence[StructureUnit[R]]) -> list[R]:
    """The results of all units in their order; those that are in the store are not worked out again.

    With Ray, and more than one of them missing, they are spread over the pool; but a GPU of this process is not left
    for workers without one.

    Raises:
        ZoogenError: a unit failed; the others are kept, and the same call goes on from there.
    """
    stored = [unit.stored(study) for unit in units]
    for artifact in stored:
        say_damage(study, artifact)
    missing = [unit for unit, artifact in zip(units, stored, strict=True) if artifact.value is None]
    reused = len(units) - len(missing)
    if reused and missing:
        study.console.say(f"{title}: {reused} of {len(units)} structures reused")
    if len(missing) > 1 and _on_pool(study):
        _spread(study, title, missing, reused)
    elif missing:
        _one_by_one(study, title, missing, reused)
    return [_result(study, unit, artifact) for unit, artifact in zip(units, stored, strict=True)]


def _result(study: Study, unit: StructureUnit[R], before: Artifact[R]) -> R:
    result = before.value or unit.stored(study).value
    if result is None:
        raise ZoogenError(
            f"structure {unit.structure} was worked out but is not at {study.store.uri_of(unit.key)}: workers on other "
            "machines do not share this folder; give a shared folder or a URI such as s3://bucket/prefix"
        )
    return result


def _on_pool(study: Study) -> bool:
    return study.config.ray is not None and (study.pool.gpus_per_worker > 0 or study.device == "cpu")


def _one_by_one(study: Study, title: str, missing: Sequence[StructureUnit[R]], reused: int) -> None:
    study.make_ready([unit.structure for unit in missing])  # before anything is measured, and with its own progress
    meter = ProgressMeter(reused + len(missing), reused)
    with _shown(study, title) as show:
        for unit in missing:
            meter.start(unit.digest)

            def progress(done: int, total: int, figures: Figures, unit: StructureUnit[R] = unit) -> None:
                meter.update(unit.digest, done, total, figures)
                show(meter.snapshot())

            unit.keep(study, progress)
            meter.finish(unit.digest, 0)
            show(meter.snapshot())


def _spread(study: Study, title: str, missing: Sequence[StructureUnit[R]], reused: int) -> None:
    config = study.config.model_copy(update={"artifacts": study.store.uri})  # a worker has another working folder
    jobs = [replace(unit, config=config) for unit in missing]
    with _shown(study, title) as show:
        run_jobs(jobs, study.task, study.store, study.pool, show, reused)


@contextmanager
def _shown(study: Study, title: str) -> Iterator[Callable[[ZooProgress], None]]:
    """A function that shows progress, and says what happened to workers."""
    said = ""
    with study.console.progress(title, "structures") as report:

        def show(now: ZooProgress) -> None:
            nonlocal said
            figures = {"percent": 100 * now.fraction, "loss": now.loss}
            if now.message not in ("", said):
                study.console.say(f"{title}: {now.message}")
            said = now.message
            shown = {name: value for name, value in figures.items() if math.isfinite(value)}
            report(now.cohorts_done, now.cohorts_expected, shown, now.seconds_left)

        yield show
