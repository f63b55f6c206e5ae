"""Running stages for the command line: from a configuration file to printed results."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import torch

from zoogen.config import load_config
from zoogen.errors import ZoogenError
from zoogen.pipelines import stages, weight_files
from zoogen.pipelines.config import PipelineConfig
from zoogen.pipelines.console import Console
from zoogen.pipelines.context import Study, artifact_root, local_path, resolved_json
from zoogen.pipelines.results import EvaluationResult
from zoogen.pipelines.ui import serve_ui
from zoogen.pipelines.weight_files import judge_file, judgement_lines
from zoogen.weights.files import write_bytes
from zoogen.zoo.store import ArtifactStore

STAGES: dict[str, Callable[[Study], Any]] = {
    "build_zoo": stages.build_zoo,
    "train_autoencoder": stages.train_autoencoder,
    "train_generator": stages.train_generator,
    "evaluate": stages.evaluate,
    "pipeline": stages.pipeline,
}


def open_study(config: str, overrides: Sequence[str], console: Console | None = None) -> Study:
    """The study of a configuration file.

    Raises:
        ZoogenError: the file or an override is wrong.
    """
    # Two intra-op threads on a busy machine can be many times slower than one; workers use one each.
    torch.set_num_threads(1)
    loaded = load_config(PipelineConfig, config, list(overrides))
    return Study(loaded, console or Console(), " ".join([config, *overrides]))


def run_stage(name: str, config: str, overrides: Sequence[str], *, dry_run: bool = False) -> None:
    """Run one stage by name."""
    study = open_study(config, overrides)
    if dry_run:
        print(resolved_json(study.config))
        return
    with study:
        result = STAGES[name](study)
    if isinstance(result, EvaluationResult):
        show_evaluation(study, result)
    if command := study.tracker.ui_command():
        study.console.show(f"to look at the runs: {command}")


def show_evaluation(study: Study, result: EvaluationResult) -> None:
    """Print the table and where the figures lie."""
    from zoogen.reports.table import print_report

    print_report(result.evaluation, study.console.out)
    for path in result.report:
        study.console.show(f"  {path}")


def run_generate(
    config: str,
    overrides: Sequence[str],
    structure: str | None,
    count: int,
    seed: int,
    out: str | None,
    *,
    whole: bool = False,
    dry_run: bool = False,
) -> None:
    """Generate weights files."""
    study = open_study(config, overrides)
    if dry_run:
        print(resolved_json(study.config))
        return
    for file in weight_files.generate(study, structure, count, seed, out, whole=whole):
        study.console.show(f"{file.label}: {file.count} networks, seed {file.seed}, {file.seconds:.2f} s, {file.path}")


def run_judge(
    weights: str, json_file: str | None, config: str | None, overrides: Sequence[str], *, dry_run: bool = False
) -> None:
    """Judge a weights file, by a configuration or by what the file says of itself."""
    if config is None and overrides:
        raise ZoogenError(f"overrides ({overrides[0]} …) change a configuration: give CONFIG, too")
    study = open_study(config, overrides) if config is not None else None
    if dry_run:
        print(resolved_json(study.config) if study is not None else json.dumps({"weights": weights}))
        return
    torch.set_num_threads(1)
    console = study.console if study is not None else Console()
    task, seed = (study.task, study.config.evaluation.seed) if study is not None else (None, 0)
    root = PipelineConfig.model_fields["artifacts"].default
    store = study.store if study is not None else ArtifactStore(artifact_root(root))
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


def print_schema() -> None:
    """Print the JSON schema of a study."""
    print(json.dumps(PipelineConfig.model_json_schema(), indent=2))


def run_benchmark(config: str, overrides: Sequence[str], *, dry_run: bool = False) -> None:
    """Measure against named alternatives; the benchmark's configuration is a file of its own."""
    from zoogen.benchmarks.run import load_benchmark
    from zoogen.benchmarks.run import run_benchmark as measure

    if dry_run:
        print(json.dumps(load_benchmark(config, list(overrides)).model_dump(mode="json"), indent=2))
        return
    measure(config, list(overrides), Console())


def run_ui(config: str, overrides: Sequence[str], port: int) -> None:
    """Run the MLflow UI in the foreground until it is interrupted."""
    study = open_study(config, overrides)
    if study.config.tracking.kind == "none":
        raise ZoogenError("tracking.kind is none, so there are no runs to look at; set it to mlflow")
    serve_ui(study.store.root, study.config.tracking.uri, port, study.console.say)
