"""The stage `finetune`: training on from generated and other networks, at equal compute."""

from dataclasses import dataclass
from pathlib import Path

from zoogen.evaluation.fine_tuning import structure_curves
from zoogen.evaluation.fine_tuning_config import MODEL_FAMILIES
from zoogen.evaluation.fine_tuning_result import FineTuning, StructureCurves
from zoogen.evaluation.machine import describe_environment
from zoogen.evaluation.records import record_bytes, summarise
from zoogen.evaluation.result import Inputs
from zoogen.evaluation.structure import Sources, StructureData
from zoogen.pipelines import digests
from zoogen.pipelines.context import Study
from zoogen.pipelines.records import due
from zoogen.pipelines.report import made_of, origin, store_files
from zoogen.pipelines.sampling import configured
from zoogen.pipelines.stored import load_generator, say_damage, stored_record
from zoogen.pipelines.units import StructureUnit, run_units
from zoogen.reports.fine_tuning import render_fine_tuning
from zoogen.tasks.base import ProgressCallback
from zoogen.tracking.base import Run

STAGE = "fine-tune"


@dataclass(frozen=True)
class FineTuningResult:
    """Curves, where they lie, and their table and figure."""

    fine_tuning: FineTuning
    digest: str
    uri: str
    report: tuple[Path, ...]
    reused: bool


@dataclass(frozen=True)
class FineTuningUnit(StructureUnit[StructureCurves]):
    """All starts of one structure."""

    model = StructureCurves

    def result(self, study: Study, progress: ProgressCallback) -> StructureCurves:
        settings = study.config.fine_tuning
        generator = load_generator(study) if _needs_generator(study) else None
        sources = Sources(
            study.task,
            settings.evaluation((self.structure,)),
            study.learnt(),
            configured(generator, study.config.generator) if generator is not None else None,
            generator.codec if generator is not None else None,
            study.reference,
            study.device,
        )
        return structure_curves(StructureData(sources, self.structure), settings, progress)


def part_key(study: Study, structure: str) -> str:
    """Key of one structure's curves."""
    name = digests.fine_tuning_part_digest(_identity(study), structure, study.contents([structure]))
    return digests.fine_tuning_part_key(structure, name)


def fine_tuning_digest(study: Study) -> str:
    """Identity of the fine-tuning of all structures."""
    structures, factors = _structures(study), study.config.fine_tuning.factors
    return digests.fine_tuning_digest(_identity(study), structures, factors, study.contents(structures))


def fine_tune(study: Study) -> FineTuningResult:
    """Train on from every start of every structure, unless it was done; structures that are done are kept.

    Raises:
        ZoogenError: a zoo is incomplete, the generator is missing, or the task cannot train on.
    """
    name = fine_tuning_digest(study)
    key = digests.fine_tuning_key(name)
    uri = study.store.uri_of(key)
    there = stored_record(study, key, FineTuning)
    say_damage(study, there)
    reused = there.value is not None
    if not reused:
        _ = study.device  # a wrong one is an error before the tracking is opened
        if _needs_generator(study):
            load_generator(study)  # a missing one is, too
        _require_zoos(study)
    params = {"fine_tuning": study.config.fine_tuning.model_dump(mode="json")}
    with study.tracker.stage(STAGE, name, name="fine-tuning", params=params) as run:
        run.reused = reused
        if there.value is not None:
            found = there.value
            study.console.say(f"fine-tuning: reused, {uri}")
        else:
            found = _curves(study)
            there.commit(record_bytes(found, key))
            seconds = sum(sum(result.seconds.values()) for result in found.results)
            study.console.say(f"fine-tuning: {seconds:.1f} s, {uri}")
        made_by, folder = origin(study, "finetune"), f"reports/{study.config.study}-{STAGE}-{name}"
        report = store_files(study, folder, made_of(found, made_by), lambda: render_fine_tuning(found, made_by))
        if due(run):
            _track(run, found, report)
        return FineTuningResult(found, name, uri, report, reused)


def _structures(study: Study) -> tuple[str, ...]:
    given = study.config.fine_tuning.structures
    names = [study.task.canonical(name) for name in given] or [target.structure for target in study.targets]
    return tuple(dict.fromkeys(names))


def _needs_generator(study: Study) -> bool:
    return bool(MODEL_FAMILIES & set(study.config.fine_tuning.families))


def _identity(study: Study) -> dict[str, object]:
    with_generator, config = _needs_generator(study), study.config
    return digests.fine_tuning_identity(
        config.fine_tuning,
        zoo=study.plan.digest,
        last=config.last_checkpoints,
        best=config.best_runs,
        align=config.align,
        reference=study.reference_plan.digest if study.reference_plan is not None else "",
        generator=study.generator_digest if with_generator else "",
        sampler=config.generator.sampler if with_generator else None,
    )


def _require_zoos(study: Study) -> None:
    study.zoo.require()
    if (reference := study.reference) is not None:
        reference.require([name for name in _structures(study) if name in reference.plan.structures])


def _curves(study: Study) -> FineTuning:
    units = [FineTuningUnit(study.config, name, part_key(study, name)) for name in _structures(study)]
    return FineTuning(
        inputs=_inputs(study),
        task=study.task.resolved(),
        config=study.config.fine_tuning,
        results=tuple(run_units(study, "fine-tuning", units)),
        environment=describe_environment(study.device),
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
