"""One small run per structure and method, all studies together in one experiment.

MLflow filters, charts and compares runs, so what a user wants to compare has to be runs with metrics of one name:
filter by `params.structure`, `params.N`, `params.M`, `params.method`, and the charts show `exact/js` of the rest.
They are not nested below the evaluation's run, where the UI would hide them until that is unfolded.
"""

import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from zoogen.evaluation.result import Evaluation, MethodResult
from zoogen.identity import digest
from zoogen.tracking.names import safe_key
from zoogen.tracking.summary import accuracy_metrics

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param
    from mlflow.entities import Run as MlflowEntity

RESULTS = "zoogen-results"  # name of the experiment
RESULT_STAGE = "result"
_STAGE, _DIGEST, _RUN, _SOURCE = "zoogen.stage", "zoogen.digest", "zoogen.run", "zoogen.source"
_COMPLETE = "FINISHED"  # state of a run that has all its numbers
_PAGE = 1000  # runs that one search returns at most


def learnt_from(evaluation: Evaluation) -> dict[str, str]:
    """Parameters N and M: structures that the generator learnt from, models of each; nothing if unknown."""
    sizes = {"N": evaluation.inputs.structures, "M": evaluation.inputs.models}
    return {name: str(size) for name, size in sizes.items() if size}


def log_results(
    client: "MlflowClient", experiment: str, source: "MlflowEntity", evaluation: Evaluation, params: Mapping[str, str]
) -> int:
    """Create the runs that are not there yet, and complete those that were interrupted; returns how many.

    Studies and trials may share an evaluation, and each has results of its own.

    Args:
        experiment: id of the experiment of results.
        source: the evaluation's run; its digest tells whether a result is there.
        params: further parameters of all of them, for example the trial of a sweep.
    """
    owner = {"study": evaluation.inputs.study, **params}
    known = digest({"run": source.data.tags.get(_DIGEST, source.info.run_id), **owner})
    found = client.search_runs([experiment], f"tags.`{_SOURCE}` = '{known}'", max_results=_PAGE)
    there = {run.data.tags.get(_DIGEST) for run in found if run.info.status == _COMPLETE}
    begun = {run.data.tags.get(_DIGEST): run.info.run_id for run in found if run.info.status != _COMPLETE}
    ratios = evaluation.ratios_of_all()
    completed = 0
    # The UI shows the latest first: what was generated, above the baselines.
    for result in reversed(evaluation.results):
        own_digest = f"{known}/{safe_key(result.structure)}/{result.method}"
        if own_digest in there:
            continue
        own = {**owner, "structure": result.label.split(" ")[0]}
        own |= {"method": result.method, **learnt_from(evaluation), "count": str(result.count)}
        own |= {"shape": result.structure, "known": str(result.known).lower()}
        run_id = begun.get(own_digest)
        if run_id is None:
            tags = {_STAGE: RESULT_STAGE, _DIGEST: own_digest, _RUN: source.info.run_id, _SOURCE: known}
            name = " ".join(part for part in (*params.values(), result.label, result.method) if part)
            run_id = client.create_run(experiment, tags=tags, run_name=name).info.run_id
        figures = result_figures(result, ratios.get((result.structure, result.method)))
        client.log_batch(run_id, metrics=_metrics(figures), params=_params(own))
        client.set_terminated(run_id, _COMPLETE)
        completed += 1
    return completed


def result_figures(result: MethodResult, ratio: float | None) -> dict[str, float]:
    """Medians over the networks, numbers of the set, and seconds.

    A protocol is a section of charts in the UI (`exact/js`, `novelty/matched_train`); sections are sorted by name.
    """
    figures = {metric.replace(".", "/", 1): result.summary(metric).median for metric in result.metrics}
    figures |= {f"novelty/{name}": value for name, value in result.figures.items()}
    ranking = result.primary.replace(".", "/", 1)
    figures[f"{ranking}_best"] = result.best
    figures |= accuracy_metrics(result)
    if result.selection is not None:
        figures[f"{ranking}_selected"] = result.selection.value
    if ratio is not None:
        figures[f"{ranking}_ratio_to_held_out"] = ratio
    seconds = {"training": result.seconds.training, "generating": result.seconds.generating}
    figures |= {f"seconds/{name}": value for name, value in seconds.items() if value is not None}
    return {safe_key(name): value for name, value in figures.items() if math.isfinite(value)}


def _metrics(figures: Mapping[str, float]) -> "list[Metric]":
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    return [Metric(name, value, now, 0) for name, value in figures.items()]


def _params(values: Mapping[str, str]) -> "list[Param]":
    from mlflow.entities import Param

    return [Param(name, value) for name, value in values.items() if value]
