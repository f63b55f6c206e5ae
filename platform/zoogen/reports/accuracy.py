"""Accuracy and similarity to the originals of every method, where networks are ranked by an error (p-diff's tables)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from zoogen.evaluation.result import Evaluation, MethodResult
from zoogen.reports.named_evaluations import GENERATED, TRAINED, chosen_value
from zoogen.reports.table_rows import NOVELTY

ORIGINALS = "training"  # the checkpoints that were learnt from
BEHAVIOUR = f"{NOVELTY}.behaviour_train"
SAME_POINTS = 0.1  # points of accuracy that count as equal, or one image where that is more
SAME_SIMILARITY = 0.005  # below this, methods are equally similar
_FIRST = (ORIGINALS, "held-out", "held-out-last", "reference", "reference-last", "ensemble", "vae", GENERATED)


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


def equal_points(result: MethodResult) -> float:
    """Points of accuracy that count as equal on the images of a result."""
    return max(SAME_POINTS, one_image(result))


def method_title(method: str) -> str:
    """A method's name where p-diff's words are used."""
    return "originals" if method == ORIGINALS else method


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
