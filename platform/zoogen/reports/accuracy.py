"""Accuracy and similarity to the originals of every method, where networks are ranked by an error (p-diff's tables)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from zoogen.evaluation.result import Evaluation, MethodResult
from zoogen.reports.paper import generating_seconds
from zoogen.reports.rows import NOVELTY, metric_title, number
from zoogen.reports.runs import GENERATED, TRAINED, Run, chosen_value, median, places
from zoogen.reports.sheets import METHOD, RUN, STRUCTURE, Sheet, SheetRow

ORIGINALS = "training"  # the checkpoints that were learnt from
BEHAVIOUR = f"{NOVELTY}.behaviour_train"
_FIRST = (ORIGINALS, "held-out", "held-out-last", "reference", "ensemble", "vae", GENERATED)
COLUMNS = ("N", "best", "mean", "median", "chosen", "similarity, least", "similarity, mean", "similarity, most")
_NOTES = (
    "Accuracy in %. training: the originals. chosen: the network with the smallest {by}.",
    "Similarity: 1 − distance in behaviour to the nearest of {sample} originals, least, mean and most over networks; "
    "for classifiers the largest IoU of wrong predictions (p-diff eq. 7). Of an original: to the others.",
    "Distance: root mean square difference per weight to the nearest original, median over networks.",
)


@dataclass(frozen=True)
class Accuracies:
    """What a method's networks reach.

    Attributes:
        best, mean, median: accuracy in %; networks that are not finite have 0.
        chosen: that of the network chosen by other data, None where none was.
        similarity: to the most similar original: least, mean and most over the networks; None if not measured.
        mean_similarity: the same, mean alone.
    """

    best: float
    mean: float
    median: float
    chosen: float | None
    similarity: tuple[float, float, float] | None

    @property
    def mean_similarity(self) -> float | None:
        return self.similarity[1] if self.similarity else None


def accuracy(error: float) -> float:
    """Accuracy in % of an error as a fraction.

    Example:
        >>> accuracy(0.25), accuracy(math.inf)
        (75.0, 0.0)
    """
    return 100 * (1 - min(error, 1.0))


def accuracies(result: MethodResult) -> Accuracies:
    """Accuracies of a result that ranks by an error."""
    summary = result.summary()
    mean = math.fsum(map(accuracy, result.metrics[result.primary])) / result.count
    chosen = chosen_value(result, result.primary)
    similar = similarities(result)
    return Accuracies(
        best=accuracy(summary.minimum),
        mean=mean,
        median=accuracy(summary.median),
        chosen=None if chosen is None else accuracy(chosen),
        similarity=(min(similar), math.fsum(similar) / len(similar), max(similar)) if similar else None,
    )


def similarities(result: MethodResult) -> list[float]:
    """Similarity of each compared network to the most similar original."""
    return [1 - value for value in result.metrics.get(BEHAVIOUR, ()) if math.isfinite(value)]


def points(result: MethodResult) -> list[tuple[float, float]]:
    """(similarity, accuracy in %) of each network that was compared."""
    pairs = zip(result.metrics.get(BEHAVIOUR, ()), result.metrics[result.primary], strict=False)
    return [(1 - distance, accuracy(error)) for distance, error in pairs if math.isfinite(distance)]


def ordered(results: Sequence[MethodResult]) -> list[MethodResult]:
    """Originals, held-out runs, ensemble, VAE and generated networks, then the baselines in their own order."""
    rank = {method: index for index, method in enumerate(_FIRST)}
    return sorted(results, key=lambda result: rank.get(result.method, len(rank)))


def error_results(evaluation: Evaluation, structure: str) -> list[MethodResult]:
    """The results of a structure that rank by an error, in the order of the table."""
    return ordered([r for r in evaluation.results if r.structure == structure and r.ranks_by_error])


def ranks_by_error(evaluation: Evaluation) -> bool:
    """Whether networks are ranked by an error, so that accuracies can be told."""
    return any(result.ranks_by_error for result in evaluation.results)


def images_of(result: MethodResult) -> int | None:
    """How many images the ranking error is counted on, None if unknown."""
    found = result.settings.get(result.primary.partition(".")[0], {}).get("images")
    return int(found) if found else None


def one_image(result: MethodResult) -> float:
    """What one image is worth, in points of accuracy; 0 if their number is unknown."""
    count = images_of(result)
    return 100 / count if count else 0.0


def accuracy_figures(evaluation: Evaluation) -> dict[str, float]:
    """`<label>/<method>/<figure>` of originals (or trained runs), ensemble and generated networks.

    Figures are `accuracy_best` and `accuracy_mean` in %, and `similarity_least`, `_mean` and `_most` where measured.
    """
    figures: dict[str, float] = {}
    for result in evaluation.results:
        if result.ranks_by_error and result.method in (ORIGINALS, *TRAINED, "ensemble", GENERATED):
            found, place = accuracies(result), f"{result.label}/{result.method}"
            figures |= {f"{place}/accuracy_best": found.best, f"{place}/accuracy_mean": found.mean}
            for name, value in zip(("least", "mean", "most"), found.similarity or (), strict=False):
                figures[f"{place}/similarity_{name}"] = value
    return figures


def accuracy_columns(label: str) -> tuple[str, ...]:
    """Figures of a structure as p-diff's tables have them (Tables 3, 4, 8 and 9): original, best, average,
    similarity range."""
    ours, theirs = f"{label}/{GENERATED}", f"{label}/{ORIGINALS}"
    accuracy_of = (f"{place}/accuracy_{name}" for place in (theirs, ours) for name in ("best", "mean"))
    return (*accuracy_of, *(f"{ours}/similarity_{name}" for name in ("least", "mean", "most")))


def accuracy_sheet(runs: Sequence[Run]) -> Sheet:
    """A row per structure, run and method."""
    rows, images = [], []
    for place in places(runs):
        for run in runs:
            results = error_results(run.evaluation, place.structure)
            rows += [_row(result, run) for result in results]
            images += [f"{place.label}: {line}" for line in _image_lines(results)]
    columns = (*COLUMNS, "distance", "s to make one")
    notes = (*_notes([run.evaluation for run in runs]), *dict.fromkeys(images))
    title = "Accuracy and similarity to the originals"
    return Sheet("accuracy", title, (STRUCTURE, RUN, METHOD), columns, tuple(rows), notes).trimmed()


def accuracy_table(evaluation: Evaluation) -> Table:
    """The table for a terminal."""
    title = f"Accuracy in %, {evaluation.inputs.study}" if evaluation.inputs.study else "Accuracy in %"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("structure\n  method", no_wrap=True)
    for name in (
        "N",
        "best",
        "mean",
        "median",
        "chosen",
        "similarity\nrange",
        "similarity\nmean",
        "distance",
        "s each",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for place in places([Run("", evaluation)]):
        table.add_row(Text(place.label, style="underline"))
        for result in error_results(evaluation, place.structure):
            style = "bold" if result.method == GENERATED else ""
            table.add_row(Text(f"  {_title(result.method)}"), *map(Text, _cells(result)), style=style)
    return table


def accuracy_lines(evaluation: Evaluation) -> list[str]:
    """What has to be known to read the table: images, data of the choice, similarity."""
    lines = list(_notes([evaluation]))
    for place in places([Run("", evaluation)]):
        lines += [f"{place.label}: {line}" for line in _image_lines(error_results(evaluation, place.structure))]
    return lines


def _row(result: MethodResult, run: Run) -> SheetRow:
    found = accuracies(result)
    numbers = (result.count, found.best, found.mean, found.median, found.chosen, *(found.similarity or (None,) * 3))
    cells = (*numbers, median(result, f"{NOVELTY}.nearest_train"), _seconds(result))
    return SheetRow((result.label, run.name, result.method), cells)


def _cells(result: MethodResult) -> list[str]:
    found = accuracies(result)
    percent = [f"{value:.2f}" if value is not None else "–" for value in (found.best, found.mean, found.median)]
    chosen = f"{found.chosen:.2f}" if found.chosen is not None else "–"
    span, mean = "–", "–"
    if found.similarity is not None:
        least, middle, most = (f"{value:.3f}" for value in found.similarity)
        span, mean = f"{least}–{most}", middle
    distance = number(median(result, f"{NOVELTY}.nearest_train"), 2)
    return [str(result.count), *percent, chosen, span, mean, distance, number(_seconds(result), 2)]


def _title(method: str) -> str:
    return f"{method} (originals)" if method == ORIGINALS else method


def _seconds(result: MethodResult) -> float | None:
    return result.seconds.training if result.seconds.training is not None else generating_seconds(result)


def _notes(evaluations: Sequence[Evaluation]) -> tuple[str, ...]:
    by = {metric_title(r.selection.by) for e in evaluations for r in e.results if r.selection and r.ranks_by_error}
    samples = {str(e.config.audit.compared_in_behaviour) for e in evaluations}
    filled = {"by": " / ".join(sorted(by)) or "validation error", "sample": "up to " + " or ".join(sorted(samples))}
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
    shown = ", ".join(f"{name.replace('_', ' ')} {accuracy(value):.2f} %" for name, value in references.items())
    return [
        *([f"for reference, {shown}"] if shown else []),
        f"{count} {group} images: one image is {number(100 / count, 2)} points of accuracy, smaller differences of "
        f"single networks are noise; drawing other images would move {mean:.1f} % by {number(error, 2)} points "
        "(standard error, common to all methods, since they see the same images)",
    ]
