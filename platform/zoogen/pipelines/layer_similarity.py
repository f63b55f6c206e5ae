"""The stage `similarity`: layers of policies compared, with small vision networks beside them."""

import time
from dataclasses import dataclass
from pathlib import Path

import torch

from zoogen.errors import ZoogenError
from zoogen.evaluation.layer_similarity import (
    FLOOR_OF,
    LayerPair,
    Networks,
    Similarity,
    compare_policies,
    compare_vision,
    count_parameters,
)
from zoogen.evaluation.machine import describe_environment
from zoogen.evaluation.records import record_bytes
from zoogen.evaluation.result import Inputs
from zoogen.identity import derive_seed
from zoogen.pipelines.context import Study
from zoogen.pipelines.digests import generator_key, similarity_digest, similarity_key
from zoogen.pipelines.records import due
from zoogen.pipelines.report import made_of, origin, store_files
from zoogen.pipelines.sampling import configured
from zoogen.pipelines.stored import load_generator, say_damage, stored_record
from zoogen.reports.layer_similarity import render_similarity, verdict_lines
from zoogen.splits import SPLITS, Split
from zoogen.tracking.base import Run

STAGE = "similarity"


@dataclass(frozen=True)
class SimilarityResult:
    """A similarity, where it lies, and its tables and figures."""

    similarity: Similarity
    digest: str
    uri: str
    report: tuple[Path, ...]
    reused: bool


def similarity(study: Study) -> SimilarityResult:
    """Compare layers, unless it was done.

    Generated networks are compared if the study's generator is there.

    Raises:
        ZoogenError: a zoo is incomplete, or holds no trained networks of a structure.
    """
    inputs = _inputs(study)
    name = _digest(study, inputs)
    key = similarity_key(name)
    uri = study.store.uri_of(key)
    there = stored_record(study, key, Similarity)
    say_damage(study, there)
    reused = there.value is not None
    pairs = _structure_pairs(study)
    if not reused:
        _ = study.device  # a wrong one is an error before the tracking is opened
        for zoo in (study.zoo, study.reference):
            if zoo is not None:
                zoo.require()
    params = {STAGE: study.config.similarity.model_dump(mode="json")}
    with study.tracker.stage(STAGE, name, params=params) as run:
        run.reused = reused
        if there.value is not None:
            found = there.value
            study.console.say(f"similarity: reused, {uri}")
        else:
            found = _compare(study, pairs, inputs)
            there.commit(record_bytes(found, key))
            study.console.say(f"similarity: {found.seconds:.1f} s, {uri}")
        made_by, folder = origin(study, STAGE), f"reports/{study.config.study}-{STAGE}-{name}"
        report = store_files(study, folder, made_of(found, made_by), lambda: render_similarity(found, made_by))
        if due(run):
            _track(run, found, report)
        return SimilarityResult(found, name, uri, report, reused)


def _inputs(study: Study) -> Inputs:
    generator = study.generator_digest
    return Inputs(
        study=study.config.study,
        zoo=study.plan.digest,
        generator=generator if study.store.exists(generator_key(generator)) else "",
        reference=study.reference_plan.digest if study.reference_plan is not None else "",
    )


def _digest(study: Study, inputs: Inputs) -> str:
    structures = [target.structure for target in study.targets]
    sampler = study.config.generator.sampler
    return similarity_digest(study.config.similarity, inputs, structures, sampler, study.contents(structures))


def _structure_pairs(study: Study) -> list[tuple[str, str]]:
    """The pairs asked for, by canonical name."""
    given = study.config.similarity.pairs
    if given is not None:
        return [(study.task.canonical(first), study.task.canonical(second)) for first, second in given]
    zoos = [plan.structures for plan in study.plans]
    return [(structures[0], structures[1]) for structures in zoos if len(structures) > 1]


def _compare(study: Study, pairs: list[tuple[str, str]], inputs: Inputs) -> Similarity:
    begin, config = time.perf_counter(), study.config.similarity
    made = _policies(study, pairs, bool(inputs.generator))
    with study.console.progress(STAGE, "iterations") as show:

        def progress(title: str, done: int, total: int) -> None:
            if done == total:
                study.console.say(f"similarity: {title} trained")
            show(done, total, {})

        vision, nets = compare_vision(config, study.device, progress)
    return Similarity(
        inputs=inputs,
        task=study.task.resolved(),
        config=config,
        pairs=tuple(made + vision),
        vision=tuple(nets),
        parameters=tuple(count_parameters(study.targets)),
        seconds=time.perf_counter() - begin,
        environment=describe_environment(study.device),
    )


def _policies(study: Study, pairs: list[tuple[str, str]], with_generator: bool) -> list[LayerPair]:
    task, config, device = study.task, study.config.similarity, study.device
    trained = {name: _trained(study, name) for pair in pairs for name in pair}
    made = [compare_policies(task, "policies", trained[a], trained[b], config, device=device) for a, b in pairs]
    for name in _generated_structures(study, pairs):
        own = trained.get(name) or _trained(study, name)
        if with_generator:
            generated = _generated(study, name)
            made.append(compare_policies(task, "same structure", generated, own, config, device=device))
        if len(own.weights) > 1:
            made.append(compare_policies(task, "same structure", own, own, config, shift=1, device=device))
    if config.untrained:
        fresh = {name: _untrained(study, name) for pair in pairs for name in pair}
        floor = FLOOR_OF["policies"]
        made += [compare_policies(task, floor, fresh[a], fresh[b], config, device=device) for a, b in pairs]
    return made


def _generated_structures(study: Study, pairs: list[tuple[str, str]]) -> list[str]:
    given = study.config.similarity.generated
    if given is not None:
        return [study.task.canonical(name) for name in given]
    compared = [name for pair in pairs for name in pair if name in study.plan.targets]
    return [*compared, *study.plan.structures][:1]


def _trained(study: Study, structure: str) -> Networks:
    """Last checkpoints of the runs that nothing was learnt from.

    Raises:
        ZoogenError: neither zoo holds the structure, or the zoo has no test runs.
    """
    splits: tuple[Split, ...] = ("test",)
    zoo = study.zoo
    if structure not in study.plan.targets:
        reference = study.reference
        if reference is None or structure not in reference.plan.targets:
            raise ZoogenError(
                f"similarity needs trained networks of {study.task.label(structure)} ({structure}); add it to "
                "zoo.structures or reference.structures, or name other similarity.pairs"
            )
        zoo, splits = reference, tuple(s for s in SPLITS if reference.plan.runs_of(s, structure))
    parts = [zoo.select(structure, split, 1).weights for split in splits]
    return Networks(structure, "trained", torch.cat(parts))


def _generated(study: Study, structure: str) -> Networks:
    config = study.config.similarity
    generator = configured(load_generator(study), study.config.generator)
    seed = derive_seed(STAGE, config.seed, "generated")
    target = study.task.target(structure)
    return Networks(structure, "generated", generator.generate(target, config.networks, seed, study.device).cpu())


def _untrained(study: Study, structure: str) -> Networks:
    config = study.config.similarity
    seed = derive_seed(STAGE, config.seed, "untrained", structure)
    return Networks(structure, "untrained", study.task.untrained(structure, config.networks, seed))


def _track(run: Run, found: Similarity, report: tuple[Path, ...]) -> None:
    figures = {"seconds": found.seconds}
    for pair in found.pairs:
        figures |= {f"{pair.group}/{pair.name}/mean": pair.mean, f"{pair.group}/{pair.name}/variance": pair.variance}
    run.metrics(figures)
    run.text("verdict.txt", "\n".join(verdict_lines(found)) + "\n")
    run.files(report, "report")
