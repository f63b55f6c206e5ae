"""The audit: every method's quality beside its distance to the training checkpoints, with a verdict."""

from collections.abc import Sequence

from zoogen.evaluation.result import MethodResult
from zoogen.reports.accuracy import accuracies, accuracy
from zoogen.reports.accuracy_table import PERCENT
from zoogen.reports.named_evaluations import NamedEvaluation, chosen_value, median, places
from zoogen.reports.paper import generating_seconds
from zoogen.reports.sheets import EVALUATION, METHOD, STRUCTURE, Cell, Sheet, SheetRow
from zoogen.reports.table_rows import NOVELTY, metric_title
from zoogen.reports.verdict import BETWEEN_RUNS, MEMORISED, OF_HELD_OUT, Verdict, verdict

DISTANCES = {"nearest_train": "nearest", "matched_train": "matched", "behaviour_train": "behaviour"}
FIGURES = {
    "diversity.weights": "diversity, weights",
    "diversity.relative": "diversity, share of norm",
    "diversity.behaviour": "diversity, behaviour",
    "coverage.weights": "coverage, weights",
    "coverage.behaviour": "coverage, behaviour",
    "density.behaviour": "density, behaviour",
}
BETWEEN = f"({BETWEEN_RUNS})"
_NOTES = (
    "Nearest, matched: root mean square difference per weight to the nearest training checkpoint, as it is and after "
    "matching hidden units. Behaviour: distance between what networks do. Medians over networks.",
    f"Memorised: the matched distance is below {MEMORISED} of that {BETWEEN_RUNS}, or, with a single training run, of "
    f"that {OF_HELD_OUT}; where an error ranks, the same of the distance in behaviour.",
)


def audit_sheets(evaluations: Sequence[NamedEvaluation]) -> list[Sheet]:
    """One sheet for known structures, one for unseen ones, if there are any."""
    sheets = [_audit_sheet(evaluations, known) for known in (True, False)]
    return [sheet for sheet in sheets if sheet.rows]


def verdicts(evaluations: Sequence[NamedEvaluation]) -> list[tuple[NamedEvaluation, Verdict]]:
    """The verdict on every structure of every evaluation."""
    found = [(judged, verdict(judged, place.structure)) for place in places(evaluations) for judged in evaluations]
    return [(judged, said) for judged, said in found if said is not None]


def _audit_sheet(evaluations: Sequence[NamedEvaluation], known: bool) -> Sheet:
    rows = []
    for place in places(evaluations):
        for judged in evaluations:
            results = [result for result in judged.of(place.structure) if result.known is known]
            rows += [_method_row(result, judged) for result in results]
            rows += [_between_row(result, judged) for result in results if NOVELTY in result.floors][:1]
    primaries = dict.fromkeys(
        r.primary for judged in evaluations for r in judged.evaluation.results if r.known is known
    )
    ranked = metric_title(next(iter(primaries))) if len(primaries) == 1 else "ranking metric"
    errors = all(
        result.ranks_by_error for judged in evaluations for result in judged.evaluation.results if result.known is known
    )
    if errors:
        ranked = "mean accuracy, %"
    columns = ("N", ranked, "best", "chosen", *DISTANCES.values(), *FIGURES.values(), "s to make one")
    side = "known" if known else "unseen"
    title = f"Audit of the {side} structures"
    keys = (STRUCTURE, EVALUATION, METHOD)
    decimals = dict.fromkeys((ranked, "best", "chosen"), PERCENT) if errors else {}
    return Sheet(f"audit-{side}", title, keys, columns, tuple(rows), _NOTES if known else (), decimals).trimmed()


def _method_row(result: MethodResult, judged: NamedEvaluation) -> SheetRow:
    made = result.seconds.training if result.seconds.training is not None else generating_seconds(result)
    cells: list[Cell] = [result.count, *_quality(result)]
    cells += [median(result, f"{NOVELTY}.{name}") for name in DISTANCES]
    cells += [result.figures.get(name) for name in FIGURES]
    return SheetRow((result.label, judged.name, result.method), (*cells, made))


def _quality(result: MethodResult) -> tuple[float | None, ...]:
    """Median, best and chosen of the ranking metric; of errors the accuracies in %, mean, best and chosen."""
    chosen = chosen_value(result, result.primary)
    if not result.ranks_by_error:
        return median(result), result.best, chosen
    return accuracies(result).mean, accuracy(result.best), None if chosen is None else accuracy(chosen)


def _between_row(result: MethodResult, judged: NamedEvaluation) -> SheetRow:
    """What distances are between checkpoints of different training runs: the scale of the column."""
    between = result.floors[NOVELTY].get("train_train", {})
    before, behind = (None,) * 4, (None,) * (len(FIGURES) + 1)
    cells = (*before, *(between.get(name) for name in DISTANCES), *behind)
    return SheetRow((result.label, judged.name, BETWEEN), cells)
