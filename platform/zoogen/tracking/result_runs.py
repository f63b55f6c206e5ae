"""One small run per structure and method below an evaluation's run.

MLflow compares and charts runs, so what a user wants to compare has to be runs with metrics of one name: filter
`params.structure`, `params.N`, `params.M`, `params.method`, and set `exact.js` of the rest side by side.
"""

import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from zoogen.evaluation.result import Evaluation, MethodResult
from zoogen.tracking.names import safe_key

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, RunTag

RESULT_STAGE = "result"
_PARENT, _STAGE, _DIGEST = "mlflow.parentRunId", "zoogen.stage", "zoogen.digest"
_PAGE = 1000  # runs that one search returns at most


def learnt_from(evaluation: Evaluation) -> dict[str, str]:
    """Parameters N and M: structures that the generator learnt from, models of each; nothing if unknown."""
    sizes = {"N": evaluation.inputs.structures, "M": evaluation.inputs.models}
    return {name: str(size) for name, size in sizes.items() if size}


def log_results(client: "MlflowClient", experiment: str, parent: str, evaluation: Evaluation) -> int:
    """Create the runs that are not there yet below the run `parent`; returns how many were created."""
    found = client.search_runs([experiment], f"tags.`{_PARENT}` = '{parent}'", max_results=_PAGE)
    there = {run.data.tags.get(_DIGEST) for run in found}
    ratios = evaluation.ratios_of_all()
    created = 0
    for result in evaluation.results:
        name = f"{result.label} {result.method}"
        digest = f"{parent}/{safe_key(result.structure)}/{result.method}"
        if digest in there:
            continue
        own = {"structure": result.label.split(" ")[0], "method": result.method, "count": str(result.count)}
        own |= {"shape": result.structure, "known": str(result.known).lower(), **learnt_from(evaluation)}
        run = client.create_run(
            experiment, tags={_PARENT: parent, _STAGE: RESULT_STAGE, _DIGEST: digest}, run_name=name
        )
        figures = result_figures(result, ratios.get((result.structure, result.method)))
        client.log_batch(run.info.run_id, metrics=_metrics(figures), params=_params(own), tags=_tags(own))
        client.set_terminated(run.info.run_id, "FINISHED")
        created += 1
    return created


def result_figures(result: MethodResult, ratio: float | None) -> dict[str, float]:
    """Metric name to the median over the networks; the best and the selected network's beside the ranking one."""
    figures = {metric: result.summary(metric).median for metric in result.metrics}
    figures |= {f"{result.primary}.best": result.best, **result.figures}
    if result.selection is not None:
        figures[f"{result.primary}.selected"] = result.selection.value
    if ratio is not None:
        figures["ratio_to_held_out"] = ratio
    seconds = {"training": result.seconds.training, "generating": result.seconds.generating}
    figures |= {f"seconds.{name}": value for name, value in seconds.items() if value is not None}
    return {safe_key(name): value for name, value in figures.items() if math.isfinite(value)}


def _metrics(figures: Mapping[str, float]) -> "list[Metric]":
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    return [Metric(name, value, now, 0) for name, value in figures.items()]


def _params(values: Mapping[str, str]) -> "list[Param]":
    from mlflow.entities import Param

    return [Param(name, value) for name, value in values.items()]


def _tags(values: Mapping[str, str]) -> "list[RunTag]":
    from mlflow.entities import RunTag

    return [RunTag(f"zoogen.{name}", values[name]) for name in ("structure", "method") if name in values]
