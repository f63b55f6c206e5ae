"""The stages of a study: each takes a study, makes its artifact unless it is there, and returns it.

A stage on its own requires what it reads and names the command that makes it; `pipeline` runs all.
"""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from zoogen.errors import ZoogenError
from zoogen.evaluation.records import record_bytes
from zoogen.evaluation.result import Evaluation
from zoogen.generators.condition import indistinct
from zoogen.pipelines import compute
from zoogen.pipelines.context import Log, Study
from zoogen.pipelines.digests import autoencoder_key, evaluation_key, generator_key
from zoogen.pipelines.evaluation_units import evaluated
from zoogen.pipelines.models import Model
from zoogen.pipelines.records import due, record_autoencoder, record_generator, record_input, record_zoo
from zoogen.pipelines.report import write_reports
from zoogen.pipelines.results import (
    AutoencoderResult,
    EvaluationResult,
    GeneratorResult,
    ZooResult,
    named,
)
from zoogen.pipelines.stored import (
    load_autoencoder,
    load_generator,
    say_damage,
    stored_autoencoder,
    stored_generator,
    stored_record,
)
from zoogen.shown import listed
from zoogen.tracking.base import Run
from zoogen.zoo.build import ZooReport, has_manifest, manifest_key, missing_cohorts
from zoogen.zoo.plan import ZooPlan
from zoogen.zoo.progress import ZooProgress
from zoogen.zoo.read import Zoo


def build_zoo(study: Study) -> ZooResult:
    """Train what is missing of the zoo, and of the reference zoo if there is one."""
    reports = []
    for plan in study.plans:
        title = "zoo" if plan is study.plan else "reference zoo"
        key = manifest_key(plan.digest)
        params = {"zoo": plan.config.model_dump(mode="json"), "task": plan.task}
        with study.tracker.stage("build-zoo", plan.digest, name=title, params=params) as run:
            study.mend(plan.structures)  # even if all of its parts are there
            run.reused = has_manifest(plan, study.store) and not missing_cohorts(plan, study.store, sound=study.task)
            report = None
            if run.reused:
                study.console.say(f"{title}: {len(plan.cohorts)} cohorts reused, {study.store.uri_of(key)}")
            else:
                reports.append(report := _build(study, plan, title))
            _require_checkpoints(study, plan, title)
            if due(run):
                record_zoo(study, plan, title, run, report)
    return ZooResult(study.zoo, study.reference, tuple(reports), reused=not reports)


def _require_checkpoints(study: Study, plan: ZooPlan, title: str) -> None:
    """Raises:
    ZoogenError: of a structure nothing is left to learn from.
    """
    zoo = Zoo(study.store, plan, study.task)
    empty = [name for name in plan.structures if plan.runs_of("train") and not zoo.table(name, "train").num_rows]
    if empty:
        raise ZoogenError(
            f"{title}: no checkpoint of {listed(map(study.task.label, empty), 100)} is left, all of its training runs "
            "diverged; lower the learning rate, or change the reward or the data that it is trained on"
        )


def _build(study: Study, plan: ZooPlan, title: str) -> ZooReport:
    said = ""
    with study.console.progress(title, "cohorts") as show:

        def progress(now: ZooProgress) -> None:
            nonlocal said
            figures = {"checkpoints/s": now.checkpoints_per_second, "loss": now.loss, "workers": float(now.workers)}
            figures |= {"prepared": now.prepared, **({"silent": float(now.silent)} if now.silent else {})}
            shown = {name: value for name, value in figures.items() if math.isfinite(value)}
            show(now.cohorts_done, now.cohorts_expected, shown, now.seconds_left)
            if now.message not in ("", said):
                study.console.say(f"{title}: {now.message}")
            said = now.message

        report = compute.build_zoo(study, plan, progress)
    for notice in report.notices:
        study.console.say(f"notice: {notice}")
    reused = len(plan.cohorts) - report.built  # another process may have built some meanwhile
    done = f"{report.checkpoints} checkpoints in {report.built} cohorts, {reused} cohorts reused"
    study.console.say(f"{title}: {done}, {report.seconds:.1f} s, {report.manifest}")
    return report


def train_autoencoder(study: Study, model: Model | None = None) -> AutoencoderResult | None:
    """Train the autoencoder of a model, by default the study's own, on the zoo; None for one without an autoencoder.

    Raises:
        ZoogenError: the zoo is incomplete.
    """
    model = model or study.model
    title, name = model.title("autoencoder"), model.autoencoder_digest
    if model.autoencoder is None:
        study.console.say(f"{title}: none, as generator.kind {model.generator.kind} works on weights themselves")
        return None
    key = autoencoder_key(name)
    params = {"autoencoder": model.autoencoder.model_dump(mode="json"), "seed": study.config.seed}
    there = stored_autoencoder(study, model)
    say_damage(study, there)
    reused = there.value is not None
    if not reused:
        compute.require_device(study)
        study.zoo.require()
    with study.tracker.stage("train-autoencoder", name, name=title, params=params) as run:
        run.reused = reused
        if not run.reused:
            with _training(study, title, run) as log:
                codec = compute.train_codec(study, model, log)
            there.commit(codec.to_bytes())
            for notice in codec.notices:
                study.console.say(f"notice: {title}: {notice}")
        found = there.value or load_autoencoder(study, model)
        result = AutoencoderResult(found, name, study.store.uri_of(key), run.reused)
        if due(run):
            record_autoencoder(study, run, result.codec)
    study.console.say(_trained(title, result.reused, result.codec.seconds, result.uri))
    return result


def train_generator(study: Study, model: Model | None = None) -> GeneratorResult:
    """Train the generator of a model, by default the study's own: on the latents of the zoo, or without an autoencoder.

    Raises:
        ZoogenError: the zoo is incomplete or the autoencoder is missing.
    """
    model = model or study.model
    title, name = model.title("generator"), model.generator_digest
    key = generator_key(name)
    params = {"generator": model.generator.model_dump(mode="json"), "seed": study.config.seed}
    there = stored_generator(study, model)
    say_damage(study, there)
    reused = there.value is not None
    codec = None if reused or model.autoencoder is None else load_autoencoder(study, model)
    if not reused:
        compute.require_device(study)
        if model.generator.learns_from_zoo:
            study.zoo.require()
    with study.tracker.stage("train-generator", name, name=title, params=params) as run:
        run.reused = reused
        if not run.reused:
            with _training(study, title, run) as log:
                generator = compute.train_generator(study, model, codec, log)
            there.commit(generator.to_bytes())
            for notice in indistinct(study.targets) if model.autoencoder is not None else ():
                study.console.say(f"notice: {title}: {notice}")
        found = there.value or load_generator(study, model)
        result = GeneratorResult(found, name, study.store.uri_of(key), run.reused)
        if due(run):
            record_generator(study, model, run, result.generator)
    study.console.say(_trained(title, result.reused, result.generator.seconds, result.uri))
    return result


@contextmanager
def _training(study: Study, title: str, run: Run) -> Iterator[Log]:
    """A function that shows and tracks the figures of a training."""
    with study.console.progress(title, "iterations") as show:

        def log(step: int, total: int, figures: Mapping[str, float]) -> None:
            numbers = {name: value for name, value in figures.items() if name != "step"}
            run.metrics(numbers, step, "train")
            show(step, total, {"loss": numbers["loss"]} if "loss" in numbers else {})

        yield log


def evaluate(study: Study) -> EvaluationResult:
    """Judge the generator beside its baselines and the study's further models, and write tables and figures.

    Raises:
        ZoogenError: the zoo is incomplete or the generator is missing.
    """
    key, name = evaluation_key(study.evaluation_digest), study.evaluation_digest
    uri = study.store.uri_of(key)
    params = {"evaluation": study.config.evaluation.model_dump(mode="json")}
    there = stored_record(study, key, Evaluation)
    say_damage(study, there)
    reused = there.value is not None
    generators = () if reused else tuple(load_generator(study, model) for model in study.models)
    if not reused:
        for zoo in (study.zoo, study.reference):
            if zoo is not None:
                zoo.require()
    with study.tracker.stage("evaluate", name, name="evaluation", params=params) as run:
        run.reused = reused
        if there.value is not None:
            evaluation = named(there.value, study.config.study)
            study.console.say(f"evaluation: reused, {uri}")
        else:
            begin = time.perf_counter()
            evaluation = evaluated(study, generators)
            there.commit(record_bytes(evaluation, key))
            study.console.say(f"evaluation: {time.perf_counter() - begin:.1f} s, {uri}")
        report = write_reports(study, evaluation) if study.reporting else ()
        if due(run):
            record_input(study, run, "evaluation")
            run.evaluation(evaluation, report)
            run.results(evaluation)
        return EvaluationResult(evaluation, name, uri, report, run.reused)


def pipeline(study: Study) -> EvaluationResult:
    """All stages, one after the other; what is there is reused."""
    config = study.config.model_dump(mode="json")
    with study.tracker.pipeline(study.digest, name=study.config.study, config=config) as run:
        zoo = build_zoo(study)
        trained: list[AutoencoderResult | GeneratorResult | None] = []
        for model in study.models:
            trained += [train_autoencoder(study, model), train_generator(study, model)]
        result = evaluate(study)
        run.reused = all((zoo.reused, result.reused, *(made.reused for made in trained if made is not None)))
        if due(run):
            run.evaluation(result.evaluation, result.report)
        return result


def _trained(what: str, reused: bool, seconds: float, uri: str) -> str:
    return f"{what}: {'reused' if reused else f'{seconds:.1f} s'}, {uri}"
