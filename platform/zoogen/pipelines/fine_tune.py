"""The stage `finetune`: training on from generated and other networks, at equal compute."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zoogen.evaluation.fine_tuning import fine_tuning_curves
from zoogen.evaluation.fine_tuning_config import MODEL_FAMILIES
from zoogen.evaluation.fine_tuning_result import FineTuning, StructureCurves
from zoogen.evaluation.records import record_bytes, summarise
from zoogen.evaluation.result import Inputs
from zoogen.generators.weight_generator import WeightGenerator
from zoogen.identity import digest
from zoogen.pipelines.context import Study
from zoogen.pipelines.digests import alignment_identity, contents_identity
from zoogen.pipelines.report import origin, store_files
from zoogen.pipelines.sampling import ConfiguredSampler
from zoogen.pipelines.stored import load_generator, say_damage, stored_record
from zoogen.reports.fine_tuning import render_fine_tuning
from zoogen.tracking.base import Run
from zoogen.zoo.plan import structure_key

FINE_TUNING_FORMAT = 2  # raise when the same configuration comes to mean another artifact
STAGE = "fine-tune"


@dataclass(frozen=True)
class FineTuningResult:
    """Curves, where they lie, and their table and figure."""

    fine_tuning: FineTuning
    digest: str
    uri: str
    report: tuple[Path, ...]
    reused: bool


def fine_tuning_key(name: str) -> str:
    return f"fine_tuning/{name}.json"


def part_key(study: Study, structure: str) -> str:
    """Key of one structure's curves; other structures do not change them, so they are no part of its name."""
    name = digest({**_identity(study), "structure": structure, **contents_identity(study.contents([structure]))})
    return f"fine_tuning/parts/{structure_key(structure)}/{name}.json"


def fine_tuning_digest(study: Study) -> str:
    """Identity of the fine-tuning of all structures."""
    factors = list(study.config.fine_tuning.factors)  # levels are told of finished curves, so parts do not know them
    contents = contents_identity(study.contents(_structures(study)))
    return digest({**_identity(study), "structures": list(_structures(study)), "factors": factors, **contents})


def fine_tune(study: Study) -> FineTuningResult:
    """Train on from every start of every structure, unless it was done; structures that are done are kept.

    Raises:
        ZoogenError: a zoo is incomplete, the generator is missing, or the task cannot train on.
    """
    name = fine_tuning_digest(study)
    key = fine_tuning_key(name)
    uri = study.store.uri_of(key)
    there = stored_record(study, key, FineTuning)
    say_damage(study, there)
    reused = there.value is not None
    generator = None
    if not reused:
        _ = study.device  # a wrong one is an error before the tracking is opened
        generator = load_generator(study) if _needs_generator(study) else None
        _require_zoos(study)
    params = {"fine_tuning": study.config.fine_tuning.model_dump(mode="json")}
    with study.tracker.stage(STAGE, name, name="fine-tuning", params=params) as run:
        run.reused = reused
        if there.value is not None:
            found = there.value
            study.console.say(f"fine-tuning: reused, {uri}")
        else:
            found = _curves(study, generator)
            there.commit(record_bytes(found, key))
            seconds = sum(sum(result.seconds.values()) for result in found.results)
            study.console.say(f"fine-tuning: {seconds:.1f} s, {uri}")
        files = render_fine_tuning(found, origin(study, "finetune"))
        report = store_files(study, f"reports/{study.config.study}-{STAGE}-{name}", files)
        _track(run, found, report)
        return FineTuningResult(found, name, uri, report, reused)


def _structures(study: Study) -> tuple[str, ...]:
    given = study.config.fine_tuning.structures
    names = [study.task.canonical(name) for name in given] or [target.structure for target in study.targets]
    return tuple(dict.fromkeys(names))


def _needs_generator(study: Study) -> bool:
    return bool(MODEL_FAMILIES & set(study.config.fine_tuning.families))


def _identity(study: Study) -> dict[str, object]:
    """What decides the curves of a structure beside the structure itself."""
    with_generator = _needs_generator(study)
    return {
        "format": FINE_TUNING_FORMAT,
        "config": study.config.fine_tuning.model_dump(mode="json", exclude={"structures", "factors"}),
        "zoo": study.plan.digest,
        "last": study.config.last_checkpoints,
        "best": study.config.best_runs,
        **alignment_identity(study.config.align),
        "reference": study.reference_plan.digest if study.reference_plan is not None else "",
        "generator": study.generator_digest if with_generator else "",
        "sampler": study.config.generator.sampler.model_dump(mode="json") if with_generator else None,
    }


def _require_zoos(study: Study) -> None:
    study.zoo.require()
    if (reference := study.reference) is not None:
        reference.require([name for name in _structures(study) if name in reference.plan.structures])


def _curves(study: Study, generator: WeightGenerator | None) -> FineTuning:
    structures, reference = _structures(study), study.reference
    study.make_ready(structures)
    keys = {name: part_key(study, name) for name in structures}
    there = {name: stored_record(study, key, StructureCurves) for name, key in keys.items()}
    for part in there.values():
        say_damage(study, part)
    done = {name: part.value for name, part in there.items() if part.value is not None}

    def keep(result: StructureCurves) -> None:
        there[result.structure].commit(record_bytes(result, keys[result.structure]))
        spent = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in result.seconds.items())
        study.console.say(f"fine-tuning: {result.label} done, {spent}")

    with study.console.progress("fine-tuning", "iterations") as show:

        def progress(iteration: int, total: int, figures: Mapping[str, float]) -> None:
            show(iteration, total, {name: value for name, value in figures.items() if math.isfinite(value)})

        return fine_tuning_curves(
            study.task,
            study.learnt(),
            ConfiguredSampler(generator, study.config.generator.sampler) if generator is not None else None,
            study.config.fine_tuning,
            structures,
            codec=generator.codec if generator is not None else None,
            reference=reference,
            inputs=_inputs(study),
            device=study.device,
            finished=done,
            keep=keep,
            progress=progress,
        )


def _inputs(study: Study) -> Inputs:
    with_generator = _needs_generator(study)
    return Inputs(
        study=study.config.study,
        zoo=study.plan.digest,
        autoencoder=study.autoencoder_digest if with_generator else "",
        generator=study.generator_digest if with_generator else "",
        reference=study.reference_plan.digest if study.reference_plan is not None else "",
    )


def _track(run: Run, found: FineTuning, report: tuple[Path, ...]) -> None:
    """Curves as metrics over iterations, summaries at the end, the report's files."""
    for result in found.results:
        name = result.primary
        for curve in result.curves:
            place = f"{result.label}/{curve.start}"
            for step, summary in zip((0, *result.steps), curve.summaries(), strict=True):
                run.metrics({f"{place}/{name}": summary.median}, step)
            for step, rewards in zip(result.steps, curve.reward, strict=bool(curve.reward)):
                run.metrics({f"{place}/reward": summarise(rewards).median}, step)
    run.metrics(found.medians(), found.config.iterations)
    run.tags({f"zoogen.{key}": value for key, value in found.inputs.model_dump().items() if value})
    run.files(report, "report")
