"""Running stages for the command line: from a configuration file to printed results."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from zoogen.pipelines import stages
from zoogen.pipelines.config import PipelineConfig
from zoogen.pipelines.context import Study
from zoogen.pipelines.models import Model
from zoogen.pipelines.open import open_study
from zoogen.pipelines.results import EvaluationResult
from zoogen.reports.named_evaluations import NamedEvaluation


def _of_each_model(stage: Callable[[Study, Model], Any]) -> Callable[[Study], Any]:
    """A stage of one model as one of a study: its own model first, then the others."""
    return lambda study: [stage(study, model) for model in study.models]


STAGES: dict[str, Callable[[Study], Any]] = {
    "build_zoo": stages.build_zoo,
    "train_autoencoder": _of_each_model(stages.train_autoencoder),
    "train_generator": _of_each_model(stages.train_generator),
    "evaluate": stages.evaluate,
    "pipeline": stages.pipeline,
}


def run_stage(name: str, config: str, overrides: Sequence[str]) -> None:
    """Run one stage by name."""
    study = open_study(config, overrides)
    with study:
        result = STAGES[name](study)
    if isinstance(result, EvaluationResult):
        show_evaluation(study, result)
    if command := study.tracker.ui_command():
        study.console.show(f"to look at the MLflow runs: {command}")


def show_evaluation(study: Study, result: EvaluationResult) -> None:
    """Print the verdicts, one screen, and where the report lies."""
    from zoogen.reports.screen import print_overview, report_lines

    named = NamedEvaluation(study.config.study, result.evaluation)
    print_overview([named], study.console.out)
    for line in report_lines(result.report):
        study.console.show(line)


def print_schema() -> None:
    """Print the JSON schema of a study."""
    print(json.dumps(PipelineConfig.model_json_schema(), indent=2))
