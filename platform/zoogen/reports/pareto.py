"""Accuracy against similarity: at equal mean accuracy, which method is less similar to the originals?

p-diff (Figure 4a) compares with noise; averages of checkpoints and Gaussians around them belong beside it (Zeng et al.
2025). A method with a size (of noise, of an average, of a kernel) is a curve in the plane of mean accuracy and mean
maximum similarity; a point of the curve between two sizes is interpolated.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from zoogen.evaluation.result import MethodResult
from zoogen.reports.accuracy import (
    ORIGINALS,
    SAME_SIMILARITY,
    Accuracies,
    accuracies,
    equal_points,
    error_results,
)
from zoogen.reports.accuracy_table import PERCENT, SHARE
from zoogen.reports.named_evaluations import GENERATED, NamedEvaluation, places
from zoogen.reports.sheets import EVALUATION, METHOD, STRUCTURE, Cell, Sheet, SheetRow

# Methods with a size; of size 0 (an average of 1) they are the originals themselves, whose similarity is 1.
_LADDERS = ("noise", "average", "latent-average", "kde")
_SINGLE = ("gaussian", "pca-gaussian", "ensemble", "vae", "prior")

Point = tuple[float, float]  # mean accuracy in %, mean maximum similarity


@dataclass(frozen=True)
class Rival:
    """A method beside the generated networks.

    Attributes:
        name: of the method, or of a ladder.
        at_equal_accuracy: least similarity where the mean accuracy is at least that of the generated networks; None
            where it nowhere is.
        most_accurate: largest mean accuracy of its sizes, %.
    """

    name: str
    at_equal_accuracy: float | None
    most_accurate: float


@dataclass(frozen=True)
class Pareto:
    """Generated networks of a structure and their rivals.

    Attributes:
        slack: points of accuracy that count as equal.
    """

    label: str
    generated: Point
    rivals: tuple[Rival, ...]
    slack: float = 0.0

    @property
    def line(self) -> str:
        """The verdict in one line: who is less similar, by how much, and all similarities from the least on."""
        accuracy, similarity = self.generated
        reached = {rival.name: rival.at_equal_accuracy for rival in self.rivals if rival.at_equal_accuracy is not None}
        beyond = [rival.name for rival in self.rivals if rival.at_equal_accuracy is None]
        ranked = sorted({GENERATED: similarity, **reached}.items(), key=lambda entry: entry[1])
        shown = ", ".join(f"{name} {value:.{SHARE}f}" for name, value in ranked)
        none = f"; not so accurate: {', '.join(beyond)}" if beyond else ""
        at = f"{accuracy:.{PERCENT}f} % within {self.slack:.{PERCENT}f}"
        return f"{self.label}: {self._said(list(reached.values()))} (mean accuracy {at}): {shown}{none}"

    def _said(self, reached: Sequence[float]) -> str:
        if not reached:
            return "no baseline reaches the accuracy of the generated networks"
        similarity = self.generated[1]
        gain, lost = min(reached) - similarity, sum(value < similarity - SAME_SIMILARITY for value in reached)
        if lost:
            who = "a baseline is" if lost == 1 else f"{lost} baselines are"
            return f"{who} less similar to the originals than the generated networks, by up to {-gain:.{SHARE}f}"
        if gain <= SAME_SIMILARITY:
            return "the generated networks are no less similar to the originals than the best baseline"
        said = "the generated networks are less similar to the originals than every baseline that reaches them"
        return f"{said}, by {gain:.{SHARE}f} or more"


def pareto(judged: NamedEvaluation, structure: str) -> Pareto | None:
    """Rivals at equal mean accuracy; None where similarity was not measured or nothing was generated."""
    results = {result.method: result for result in error_results(judged.evaluation, structure)}
    generated = results.get(GENERATED)
    own = _point(accuracies(generated)) if generated is not None else None
    if generated is None or own is None:
        return None
    slack = equal_points(generated)
    rivals = tuple(
        Rival(name, least_similar([*start, *points], own[0], slack), max(accuracy for accuracy, _ in points))
        for name, start, points in _curves(results)
    )
    return Pareto(generated.label, own, rivals, slack)


def least_similar(points: Sequence[Point], accuracy: float, slack: float = 0.0) -> float | None:
    """Least similarity of a curve, straight between its points, where it is at least so accurate.

    Args:
        points: (accuracy, similarity) in order.
        accuracy: to be reached.
        slack: a point of the curve that misses it by no more than this reaches it where nothing else does.

    Returns:
        None where the curve nowhere reaches it.
    """
    reached = [similarity for a, similarity in points if a >= accuracy]
    for (a, s), (b, t) in pairwise(points):
        if (a - accuracy) * (b - accuracy) < 0:
            reached.append(s + (t - s) * (accuracy - a) / (b - a))
    return min(reached or [similarity for a, similarity in points if a >= accuracy - slack], default=None)


def pareto_sheet(evaluations: Sequence[NamedEvaluation]) -> Sheet:
    """Similarity of every rival where it is as accurate as the generated networks."""
    rows, lines = [], []
    for place in places(evaluations):
        for judged in evaluations:
            found = pareto(judged, place.structure)
            if found is None:
                continue
            accuracy, similarity = found.generated
            rows.append(_row(judged, found, GENERATED, accuracy, accuracy, similarity, None))
            for rival in found.rivals:
                equal = rival.at_equal_accuracy
                gain = None if equal is None else equal - similarity
                rows.append(_row(judged, found, rival.name, rival.most_accurate, accuracy, equal, gain))
            lines.append(f"{judged.name}, {found.line}." if len(evaluations) > 1 else f"{found.line}.")
    columns = ("largest mean accuracy, %", "at mean accuracy, %", "similarity there", "generated is less similar by")
    note = (
        "Similarity: mean over networks of the largest similarity to an original. A method with sizes (noise, average, "
        "kde) is a curve from the originals themselves, of similarity 1, straight between its sizes, as mixtures of "
        "them are; what it has where its mean accuracy is at least that of the generated networks, or misses it by no "
        "more than counts as equal. Empty: it does not reach that accuracy."
    )
    decimals = dict(zip(columns, (PERCENT, PERCENT, SHARE, SHARE), strict=True))
    title = "Similarity at equal accuracy"
    return Sheet("pareto", title, (STRUCTURE, EVALUATION, METHOD), columns, tuple(rows), (note, *lines), decimals)


def _row(judged: NamedEvaluation, found: Pareto, method: str, *cells: Cell) -> SheetRow:
    return SheetRow((found.label, judged.name, method), cells)


def _curves(results: dict[str, MethodResult]) -> Iterator[tuple[str, list[Point], list[Point]]]:
    """Name, the originals where size 0 means them, and the points of the sizes in order; none without points."""
    originals = results.get(ORIGINALS)
    start = [] if originals is None else [(accuracies(originals).mean, 1.0)]
    for ladder in _LADDERS:
        steps = [result for method, result in results.items() if method.rpartition("-")[0] == ladder]
        steps.sort(key=lambda result: float(result.method.rpartition("-")[2]))
        if points := _points(steps):
            yield ladder, start, points
    for method in _SINGLE:
        if points := _points([results[method]] if method in results else []):
            yield method, [], points


def _points(results: Sequence[MethodResult]) -> list[Point]:
    return [point for point in (_point(accuracies(result)) for result in results) if point is not None]


def _point(found: Accuracies) -> Point | None:
    return None if found.mean_similarity is None else (found.mean, found.mean_similarity)
