"""Zoos and evaluations as metrics and tables."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

from zoogen.evaluation.records import is_error, summarise
from zoogen.evaluation.result import Evaluation, MethodResult

SPLIT_NAMES = {"train": "train", "validation": "val", "test": "test"}


def zoo_medians(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """`<split>/<label>/<metric>` to the median over the checkpoints of a structure and split.

    Metrics are the columns with a dot in their name; missing and NaN values are left out.
    """
    values: dict[str, list[float]] = {}
    for row in rows:
        split = SPLIT_NAMES.get(str(row.get("split", "train")), "train")
        place = f"{split}/{row.get('label') or row.get('structure')}"
        for key, value in row.items():
            if "." in key and isinstance(value, int | float) and not isinstance(value, bool):
                values.setdefault(f"{place}/{key}", []).append(float(value))
    medians = {name: summarise(numbers).median for name, numbers in values.items()}
    return {name: value for name, value in medians.items() if not math.isnan(value)}


def rows_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV, columns in the order of their first appearance."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def accuracy_metrics(result: MethodResult) -> dict[str, float]:
    """`test/accuracy` (mean over the networks, 0 for those that are not finite) and `test/accuracy_best`, fractions,
    beside every error (what p-diff reports)."""
    figures = {}
    for metric, values in result.metrics.items():
        if is_error(metric):
            accuracies = [1 - min(error, 1.0) for error in values if not math.isnan(error)]
            place = metric.partition(".")[0]
            figures[f"{place}/accuracy"] = math.fsum(accuracies) / len(accuracies) if accuracies else math.nan
            figures[f"{place}/accuracy_best"] = max(accuracies, default=math.nan)
    if result.ranks_by_error and result.selection is not None:
        figures[f"{result.primary.partition('.')[0]}/accuracy_selected"] = 1 - min(result.selection.value, 1.0)
    return figures


def evaluation_medians(evaluation: Evaluation) -> dict[str, float]:
    """`<label>/<method>/<metric>` to medians; ratios to conventional training and seconds beside them.

    Baselines give their ranking metric alone: hundreds of charts would hide the few that one looks for, and the
    report's tables hold every number.
    """
    figures: dict[str, float] = {}
    ratios = evaluation.ratios_of_all()
    for result in evaluation.results:
        place = f"{result.label}/{result.method}"
        for metric in result.metrics if result.method == "generated" else (result.primary,):
            figures[f"{place}/{metric}"] = result.summary(metric).median
        figures[f"{place}/best"] = result.best
        if (result.structure, result.method) in ratios:
            figures[f"{place}/ratio_to_held_out"] = ratios[result.structure, result.method]
    figures.update({f"seconds/{stage}": value for stage, value in evaluation.cost.items()})
    return {name: value for name, value in figures.items() if math.isfinite(value)}
