"""`zoogen generate`, and judging or training on from any weights file: from arguments to printed lines."""

import json
from collections.abc import Sequence
from typing import Any

import torch

from zoogen.console import Console
from zoogen.errors import ZoogenError
from zoogen.evaluation.records import summarise
from zoogen.pipelines import generating
from zoogen.pipelines.config import PipelineConfig
from zoogen.pipelines.context import artifact_root, local_path
from zoogen.pipelines.fine_tune_file import FineTunedFile, fine_tune_file
from zoogen.pipelines.open import open_study
from zoogen.pipelines.results import GeneratedFile
from zoogen.pipelines.weight_files import judge_file
from zoogen.reports.table_rows import number
from zoogen.weights.files import write_bytes
from zoogen.zoo.store import ArtifactStore


def run_generate(
    config: str,
    overrides: Sequence[str],
    structure: str | None,
    count: int,
    seed: int,
    out: str | None,
    *,
    whole: bool = False,
) -> None:
    """Generate weights files."""
    study = open_study(config, overrides)
    for file in generating.generate(study, structure, count, seed, out, whole=whole):
        study.console.show(_generated_line(file))


def run_generate_from_file(
    generator: str, structure: str | None, count: int, seed: int, out: str | None, *, whole: bool = False
) -> None:
    """Generate a weights file from a generator file, without a study."""
    if structure is None:
        raise ZoogenError("--generator FILE needs --structure, for example --structure 12^3")
    console, store = _without_study()
    made = generating.generate_from_file(
        generator, structure, count, seed, out, store=store, say=console.say, whole=whole
    )
    console.show(_generated_line(made))


def _generated_line(file: GeneratedFile) -> str:
    return f"{file.label}: {file.count} networks, seed {file.seed}, {file.seconds:.2f} s, {file.path}"


def _without_study() -> tuple[Console, ArtifactStore]:
    """What works without a configuration: the default threads of this process, and the default artifact root."""
    torch.set_num_threads(PipelineConfig.model_fields["threads"].default)
    return Console(), ArtifactStore(artifact_root(PipelineConfig.model_fields["artifacts"].default))


def run_judge(weights: str, json_file: str | None, config: str | None, overrides: Sequence[str]) -> None:
    """Judge a weights file, by a configuration or by what the file says of itself."""
    study = open_study(config, overrides) if config is not None else None
    console, store = _without_study() if study is None else (study.console, study.store)
    task, seed = (study.task, study.config.evaluation.seed) if study is not None else (None, 0)
    device = study.device if study is not None else "cpu"
    known = tuple(target.structure for target in study.targets) if study is not None else ()
    judgement = judge_file(weights, task, seed=seed, device=device, assets=store, known=known)
    if json_file is not None:
        path = local_path(json_file)
        write_bytes(path, (json.dumps(judgement, indent=1, allow_nan=False) + "\n").encode())
    for line in judgement_lines(judgement):
        console.show(line)
    if json_file is not None:
        console.show(f"  {path}")


def result_lines(file: FineTunedFile) -> list[str]:
    """What happened and each metric's median before and after, one line each."""
    how = "reused" if file.seconds is None else f"{file.seconds:.1f} s"
    lines = [f"{file.count} networks of {file.label}, {file.iterations} iterations, {how}, {file.path}"]
    for name, values in file.before.items():
        before, after = (summarise(v.tolist()).median for v in (values, file.after[name]))
        lines.append(f"  {name}: median {number(before)} → {number(after)}")
    return lines


def run_fine_tune_file(
    config: str,
    overrides: Sequence[str],
    weights: str,
    out: str | None,
    iterations: int | None,
) -> None:
    """Train on from a weights file for the command line."""
    study = open_study(config, overrides)
    with study:
        file = fine_tune_file(study, weights, out, iterations)
    for line in result_lines(file):
        study.console.show(line)


def judgement_lines(judgement: dict[str, Any]) -> Sequence[str]:
    """A judgement as printed lines: medians and quartiles, with the floors of each protocol."""
    lines = [f"{judgement['count']} networks of {judgement['label']} ({judgement['structure']})"]
    for name, values in judgement["summary"].items():
        spread = ", ".join(f"{key} {_number(values[key])}" for key in ("median", "q25", "q75", "minimum", "maximum"))
        group, _, metric = name.partition(".")
        floors = judgement.get(group, {}).get("floors", {})
        beside = "".join(f"; {floor} {_number(v[metric])}" for floor, v in floors.items() if metric in v)
        lines.append(f"  {name}: {spread}{beside}")
    lines.extend(f"  notice: {notice}" for notice in judgement["notices"])
    return lines


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
