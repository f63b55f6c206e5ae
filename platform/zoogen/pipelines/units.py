"""Structures as units of work: each keeps its own result in the store, in this process or in a worker of the pool."""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from zoogen.console import Console
from zoogen.evaluation.records import Record, read_record, record_bytes
from zoogen.orchestration.jobs import run_jobs
from zoogen.orchestration.work import Job
from zoogen.pipelines.config import PipelineConfig
from zoogen.pipelines.context import Study
from zoogen.tasks.base import ProgressCallback
from zoogen.training.hooks import Figures
from zoogen.zoo.progress import ProgressMeter, ZooProgress

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class StructureUnit(Job):
    """One structure of a stage. It travels as configuration and keys: a worker reads models and checkpoints itself.

    Attributes:
        config: of the study.
        structure: canonical name.
        key: where the result belongs.
    """

    config: PipelineConfig
    structure: str
    key: str

    @property
    def digest(self) -> str:
        return self.key

    @abstractmethod
    def result(self, study: Study, progress: ProgressCallback) -> Record:
        """Work the structure out.

        Raises:
            ZoogenError: something that it reads is missing.
        """

    def run(self, device: str, progress: ProgressCallback) -> None:
        """In a worker: make what judging needs and no zoo has made, then the result."""
        with Study(self.config.model_copy(update={"device": device}), Console()) as study:
            study.make_ready([self.structure])
            self.keep(study, progress)

    def keep(self, study: Study, progress: ProgressCallback) -> None:
        """Put the result into the store, unless it is there."""
        if not study.store.exists(self.key):
            study.store.put_if_absent(self.key, record_bytes(self.result(study, progress)))


def run_units(study: Study, title: str, units: Sequence[StructureUnit], model: type[R]) -> list[R]:
    """The results of all units in their order; those that are in the store are not worked out again.

    With Ray, and more than one of them missing, they are spread over the pool; but a GPU of this process is not left
    for workers without one.

    Raises:
        ZoogenError: a unit failed, or a result is damaged; the others are kept, and the same call goes on from there.
    """
    done = [unit for unit in units if study.store.exists(unit.key)]
    missing = [unit for unit in units if unit not in done]
    if done and missing:
        study.console.say(f"{title}: {len(done)} of {len(units)} structures reused")
    if len(missing) > 1 and _on_pool(study):
        _spread(study, title, missing, len(done))
    elif missing:
        _one_by_one(study, title, missing, len(done))
    return [read_record(model, study.store.get(unit.key), study.store.uri_of(unit.key)) for unit in units]


def _on_pool(study: Study) -> bool:
    config = study.config
    return config.ray is not None and (config.pool.gpus_per_worker > 0 or study.device == "cpu")


def _one_by_one(study: Study, title: str, missing: Sequence[StructureUnit], reused: int) -> None:
    study.make_ready([unit.structure for unit in missing])  # before anything is measured, and with its own progress
    meter = ProgressMeter(reused + len(missing), reused)
    with _shown(study, title) as show:
        for unit in missing:
            meter.start(unit.digest)

            def progress(done: int, total: int, figures: Figures, unit: StructureUnit = unit) -> None:
                meter.update(unit.digest, done, total, figures)
                show(meter.snapshot())

            unit.keep(study, progress)
            meter.finish(unit.digest, 0)
            show(meter.snapshot())


def _spread(study: Study, title: str, missing: Sequence[StructureUnit], reused: int) -> None:
    _ = study.cluster
    config = study.config.model_copy(update={"artifacts": study.store.uri})  # a worker has another working folder
    jobs = [replace(unit, config=config) for unit in missing]
    with _shown(study, title) as show:
        run_jobs(jobs, study.task, study.store, study.config.pool, show, reused)


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
