"""Running stages for the command line: from a configuration file to printed results."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from zoogen.config import load_config
from zoogen.pipelines import stages
from zoogen.pipelines.config import PipelineConfig
from zoogen.pipelines.console import Console
from zoogen.pipelines.context import Study, resolved_json
from zoogen.pipelines.results import EvaluationResult

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
    result = STAGES[name](study)
    if isinstance(result, EvaluationResult):
        show_evaluation(study, result)


def show_evaluation(study: Study, result: EvaluationResult) -> None:
    """Print the table and where the figures lie."""
    from zoogen.reports.table import print_report

    print_report(result.evaluation, study.console.out)
    for path in result.report:
        study.console.show(f"  {path}")
