"""What a stage tells the tracking of its artifact: the same when it has just been made and when it was there."""

from collections.abc import Mapping
from typing import Any

from zoogen.autoencoders.codec import WeightCodec
from zoogen.generators.weight_generator import WeightGenerator
from zoogen.pipelines.context import Study
from zoogen.pipelines.models import Model
from zoogen.tracking.base import Run
from zoogen.zoo.build import ZooReport, manifest_key
from zoogen.zoo.plan import ZooPlan
from zoogen.zoo.read import Zoo


def due(run: Run) -> bool:
    """Whether the run lacks something: all of it after the work was done, or what an earlier go could not record."""
    return not (run.reused and run.recorded)


def record_zoo(study: Study, plan: ZooPlan, title: str, run: Run, report: ZooReport | None) -> None:
    """A zoo's counts, its rows as a table, and their medians.

    Args:
        report: of the building; None where the zoo was there. Then the seconds are those of the training, and of
            cohorts that an interrupted building had found and of workers that died in it nothing is known.
    """
    zoo = Zoo(study.store, plan, study.task)
    rows = zoo_rows(zoo)
    figures = {"checkpoints": float(len(rows)), "cohorts": float(len(plan.cohorts)), "diverged": float(zoo.diverged())}
    if report is not None:
        reused = len(plan.cohorts) - report.built
        figures |= {"reused_cohorts": reused, "worker_deaths": report.deaths, "seconds": report.seconds}
    else:
        figures |= {"reused_cohorts": 0.0, "worker_deaths": 0.0, "seconds": zoo.training_seconds()}
    run.metrics(figures)
    run.dataset(title, plan.digest, study.store.uri_of(manifest_key(plan.digest)), "training")
    run.zoo_rows(rows)


def zoo_rows(zoo: Zoo) -> list[dict[str, Any]]:
    """One mapping per checkpoint with all columns but the weights."""
    rows: list[dict[str, Any]] = []
    for structure in zoo.plan.structures:
        rows.extend(zoo.table(structure).to_pylist())
    return rows


def record_autoencoder(study: Study, run: Run, codec: WeightCodec) -> None:
    """The training's curves and final figures."""
    _record_training(study, run, codec)
    run.metrics({**codec.figures, "seconds": codec.seconds}, codec.config.iterations)


def record_generator(study: Study, model: Model, run: Run, generator: WeightGenerator) -> None:
    """The training's curves and seconds."""
    if model.autoencoder_digest:
        run.tags({"zoogen.autoencoder": model.autoencoder_digest})
    _record_training(study, run, generator)
    run.metrics({"seconds": generator.seconds}, model.generator.loop.iterations)


def _record_training(study: Study, run: Run, model: WeightCodec | WeightGenerator) -> None:
    record_input(study, run, "training")
    run.history(numbers(model.history), "train")


def record_input(study: Study, run: Run, context: str) -> None:
    """The zoo that a stage reads."""
    run.dataset("zoo", study.plan.digest, study.store.uri_of(manifest_key(study.plan.digest)), context)


def numbers(history: Any) -> list[Mapping[str, float]]:
    """The points of a training's history as it was logged."""
    return [{name: float(value) for name, value in point.items()} for point in history]
