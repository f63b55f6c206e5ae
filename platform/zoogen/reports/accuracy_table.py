"""The table of accuracies and similarities."""

import math
from collections.abc import Sequence

from zoogen.evaluation.result import Evaluation, MethodResult
from zoogen.reports.accuracy import (
    ORIGINALS,
    accuracies,
    accuracy,
    error_results,
    images_of,
    method_title,
)
from zoogen.reports.named_evaluations import GENERATED, TRAINED, NamedEvaluation, median, places
from zoogen.reports.paper import generating_seconds
from zoogen.reports.sheets import EVALUATION, METHOD, STRUCTURE, Sheet, SheetRow
from zoogen.reports.table_rows import NOVELTY, metric_title, plain

COLUMNS = ("N", "best", "mean", "median", "chosen", "similarity, least", "similarity, mean", "similarity, most")
PERCENT, SHARE = 2, 3  # digits behind the point of accuracies in % and of similarities
_NOTES = (
    "Accuracy in %. Originals: the training checkpoints. Best: of all N by the reported accuracy itself, so too high, "
    "the more so the larger N is: to be compared at equal N alone. Chosen: the network with the smallest {by}.",
    "Similarity: 1 − distance in behaviour to the nearest of up to {sample} originals, least, mean and most over "
    "{compared}networks; for classifiers the largest IoU of wrong predictions (p-diff eq. 7). Of an original: to the "
    "others.",
    "Distance: root mean square difference per weight to the nearest original, median over networks.",
)


def accuracy_sheet(evaluations: Sequence[NamedEvaluation]) -> Sheet:
    """A row per structure, evaluation and method."""
    rows, images = [], []
    for place in places(evaluations):
        for judged in evaluations:
            results = error_results(judged.evaluation, place.structure)
            rows += [_row(result, judged) for result in results]
            images += [f"{place.label}: {line}" for line in _image_lines(results)]
    columns = (*COLUMNS, "distance", "s to make one")
    notes = (*_notes([judged.evaluation for judged in evaluations]), *dict.fromkeys(images))
    decimals = {name: SHARE if name.startswith("similarity") else PERCENT for name in COLUMNS[1:]}
    title = "Accuracy and similarity to the originals"
    sheet = Sheet("accuracy", title, (STRUCTURE, EVALUATION, METHOD), columns, tuple(rows), notes, decimals)
    return sheet.trimmed()


def _row(result: MethodResult, judged: NamedEvaluation) -> SheetRow:
    found = accuracies(result)
    several = result.count > 1
    best, chosen = (found.best, found.chosen) if several else (None, None)
    middle = found.median if several else None
    numbers = (result.count, best, found.mean, middle, chosen, *(found.similarity or (None,) * 3))
    cells = (*numbers, median(result, f"{NOVELTY}.nearest_train"), _seconds(result))
    return SheetRow((result.label, judged.name, method_title(result.method)), cells)


def percent(value: float | None) -> str:
    """An accuracy for reading, a dash for nothing."""
    return "–" if value is None else f"{value:.{PERCENT}f}"


def _seconds(result: MethodResult) -> float | None:
    return result.seconds.training if result.seconds.training is not None else generating_seconds(result)


def _notes(evaluations: Sequence[Evaluation]) -> tuple[str, ...]:
    by = {metric_title(r.selection.by) for e in evaluations for r in e.results if r.selection and r.ranks_by_error}
    samples = sorted({e.config.audit.compared_in_behaviour for e in evaluations})
    least = min(samples, default=0)
    partly = any(r.count > e.config.audit.compared_in_behaviour for e in evaluations for r in e.results)
    filled = {
        "by": " / ".join(sorted(by)) or "validation error",
        "sample": " or ".join(map(str, samples)),
        "compared": f"the first {least} " if partly else "",
    }
    return tuple(note.format(**filled) for note in _NOTES)


def _image_lines(results: Sequence[MethodResult]) -> list[str]:
    """How fine the accuracies of a structure are, told by its trained networks."""
    told = next((result for result in results if result.method in (*TRAINED, ORIGINALS, GENERATED)), None)
    count = images_of(told) if told is not None else None
    if told is None or count is None:
        return []
    mean = accuracies(told).mean
    error = 100 * math.sqrt(max(0.0, mean / 100 * (1 - mean / 100)) / count)
    group, _, metric = told.primary.partition(".")
    references = {name: values[metric] for name, values in told.floors.get(group, {}).items() if metric in values}
    shown = ", ".join(f"{name.replace('_', ' ')} {percent(accuracy(value))} %" for name, value in references.items())
    return [
        *([f"for reference, {shown}"] if shown else []),
        f"{count} {group} images: one image is {plain(100 / count, 2)} points of accuracy, smaller differences of "
        f"single networks are noise; drawing other images would move {mean:.1f} % by {plain(error, 2)} points "
        "(standard error, common to all methods, since they see the same images)",
    ]
