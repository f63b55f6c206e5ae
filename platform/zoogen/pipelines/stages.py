"""The stages of a study: each takes a study, makes its artifact unless it is there, and returns it.

A stage on its own requires what it reads and names the command that makes it; `pipeline` runs all.
"""

import math
import time

from zoogen.autoencoders.codec import WeightCodec
from zoogen.errors import ZoogenError
from zoogen.evaluation.evaluate import evaluate as judge
from zoogen.evaluation.result import Evaluation, Inputs
from zoogen.generators.weight_generator import WeightGenerator
from zoogen.pipelines import compute
from zoogen.pipelines.context import Study
from zoogen.pipelines.digests import autoencoder_key, evaluation_key, generator_key
from zoogen.pipelines.report import write_reports
from zoogen.pipelines.results import AutoencoderResult, EvaluationResult, GeneratorResult, ZooResult
from zoogen.pipelines.sampling import ConfiguredSampler
from zoogen.zoo.build import ZooReport, manifest_key, missing_cohorts
from zoogen.zoo.plan import ZooPlan
from zoogen.zoo.progress import ZooProgress


def build_zoo(study: Study) -> ZooResult:
    """Train what is missing of the zoo, and of the reference zoo if there is one."""
    reports = []
    for plan in study.plans:
        title = "zoo" if plan is study.plan else "reference zoo"
        if study.store.exists(manifest_key(plan.digest)) and not missing_cohorts(plan, study.store):
            study.console.say(
                f"{title}: {len(plan.cohorts)} cohorts reused, {study.store.uri_of(manifest_key(plan.digest))}"
            )
            continue
        reports.append(_build(study, plan, title))
    return ZooResult(study.zoo, study.reference, tuple(reports), reused=not reports)


def _build(study: Study, plan: ZooPlan, title: str) -> ZooReport:
    with study.console.progress(title, "cohorts") as show:

        def progress(now: ZooProgress) -> None:
            figures = {"checkpoints/s": now.checkpoints_per_second, "loss": now.loss, "workers": float(now.workers)}
            shown = {name: value for name, value in figures.items() if math.isfinite(value)}
            show(now.cohorts_done, now.cohorts_expected, shown)
            if now.message:
                study.console.say(f"{title}: {now.message}")

        report = compute.build_zoo(study, plan, progress)
    for notice in report.notices:
        study.console.say(f"notice: {notice}")
    done = f"{report.checkpoints} checkpoints in {len(report.parts)} cohorts, {report.reused} cohorts reused"
    study.console.say(f"{title}: {done}, {report.seconds:.1f} s, {report.manifest}")
    return report


def train_autoencoder(study: Study) -> AutoencoderResult:
    """Train the autoencoder on the zoo.

    Raises:
        ZoogenError: the zoo is incomplete.
    """
    key = autoencoder_key(study.autoencoder_digest)
    reused = study.store.exists(key)
    if not reused:
        with study.console.progress("autoencoder", "iterations") as show:
            codec = compute.train_codec(study, show)
        study.store.put_if_absent(key, codec.to_bytes())
    result = AutoencoderResult(load_autoencoder(study), study.autoencoder_digest, study.store.uri_of(key), reused)
    study.console.say(_trained("autoencoder", reused, result.codec.seconds, result.uri))
    return result


def train_generator(study: Study) -> GeneratorResult:
    """Train the generator on the latents of the zoo.

    Raises:
        ZoogenError: the zoo is incomplete or the autoencoder is missing.
    """
    key = generator_key(study.generator_digest)
    reused = study.store.exists(key)
    if not reused:
        codec = load_autoencoder(study)
        with study.console.progress("generator", "iterations") as show:
            generator = compute.train_generator(study, codec, show)
        study.store.put_if_absent(key, generator.to_bytes())
    result = GeneratorResult(load_generator(study), study.generator_digest, study.store.uri_of(key), reused)
    study.console.say(_trained("generator", reused, result.generator.seconds, result.uri))
    return result


def evaluate(study: Study) -> EvaluationResult:
    """Judge the generator beside its baselines, and write tables and figures.

    Raises:
        ZoogenError: the zoo is incomplete or the generator is missing.
    """
    key = evaluation_key(study.evaluation_digest)
    uri = study.store.uri_of(key)
    reused = study.store.exists(key)
    if reused:
        evaluation = Evaluation.from_json(study.store.get(key), uri)
        study.console.say(f"evaluation: reused, {uri}")
    else:
        begin = time.perf_counter()
        evaluation = _evaluate(study)
        study.store.put_if_absent(key, evaluation.to_json().encode())
        study.console.say(f"evaluation: {time.perf_counter() - begin:.1f} s, {uri}")
    report = write_reports(study, evaluation)
    return EvaluationResult(evaluation, study.evaluation_digest, uri, report, reused)


def _evaluate(study: Study) -> Evaluation:
    generator = load_generator(study)
    study.zoo.require()
    reference = study.reference
    if reference is not None:
        reference.require()
    cost = {
        "zoo": study.zoo.training_seconds(),
        "autoencoder": generator.codec.seconds,
        "generator": generator.seconds,
    }
    inputs = Inputs(
        study=study.config.study,
        zoo=study.plan.digest,
        autoencoder=study.autoencoder_digest,
        generator=study.generator_digest,
        reference=reference.plan.digest if reference is not None else "",
    )
    with study.console.progress("evaluation", "methods") as show:
        return judge(
            study.task,
            study.zoo,
            ConfiguredSampler(generator, study.config.generator.sampler),
            study.config.evaluation,
            codec=generator.codec,
            reference=reference,
            inputs=inputs,
            cost=cost,
            device=study.device,
            progress=lambda done, total, _: show(done, total, {}),
        )


def pipeline(study: Study) -> EvaluationResult:
    """All stages, one after the other; what is there is reused."""
    build_zoo(study)
    train_autoencoder(study)
    train_generator(study)
    return evaluate(study)


def load_autoencoder(study: Study) -> WeightCodec:
    """The study's autoencoder.

    Raises:
        ZoogenError: it is not there, or damaged.
    """
    return WeightCodec.from_bytes(_load(study, autoencoder_key(study.autoencoder_digest), "train-autoencoder"))


def load_generator(study: Study) -> WeightGenerator:
    """The study's generator, its autoencoder included.

    Raises:
        ZoogenError: it is not there, or damaged.
    """
    return WeightGenerator.from_bytes(_load(study, generator_key(study.generator_digest), "train-generator"))


def _load(study: Study, key: str, stage: str) -> bytes:
    if not study.store.exists(key):
        what = stage.removeprefix("train-")
        command = f"zoogen {stage} {study.source}"
        raise ZoogenError(
            f"there is no {what} of this configuration at {study.store.uri_of(key)}; run `{command}` first"
        )
    return study.store.get(key)


def _trained(what: str, reused: bool, seconds: float, uri: str) -> str:
    return f"{what}: {'reused' if reused else f'{seconds:.1f} s'}, {uri}"
