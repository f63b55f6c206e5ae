"""Our accuracies beside a paper's (p-diff, Tables 1, 2 and 7), and the paper's other tables as they are printed."""

from collections.abc import Sequence

from zoogen.evaluation.result import MethodResult
from zoogen.reports.accuracy import ORIGINALS, accuracies, ranks_by_error
from zoogen.reports.named_evaluations import GENERATED, NamedEvaluation, places
from zoogen.reports.published.accuracies import PublishedAccuracies, PublishedCell, published_accuracies
from zoogen.reports.sheets import EVALUATION, PRINTED, STRUCTURE, Cell, Sheet, SheetRow

ENSEMBLE = "ensemble"
_OURS = tuple(f"{method}, {statistic}" for method in ("originals", GENERATED) for statistic in ("best", "mean"))


def papers_of(evaluations: Sequence[NamedEvaluation]) -> list[PublishedAccuracies]:
    """Papers with accuracies on the evaluations' tasks."""
    kinds = dict.fromkeys(
        str(judged.evaluation.task.get("kind", "")) for judged in evaluations if ranks_by_error(judged.evaluation)
    )
    return [paper for paper in map(published_accuracies, kinds) if paper is not None]


def beside_sheet(evaluations: Sequence[NamedEvaluation]) -> Sheet:
    """Best and mean accuracies beside the paper's for the same network and data, or for orientation other data."""
    rows, notes = [], []
    for place in places(evaluations):
        for judged in evaluations:
            for paper in papers_of([judged]):
                found = paper.beside(place.structure)
                if found is None or not judged.of(place.structure):
                    continue
                name, numbers = found
                if name != place.structure:
                    notes.append(f"{place.label}: the paper has no such numbers; {name} stands there for orientation.")
                printed = (numbers.original, numbers.ensemble, numbers.generated)
                about = f"{name}, Table {numbers.table}, {numbers.statistic}"
                rows.append(SheetRow((place.label, judged.name), (*_ours(judged, place.structure), *printed, about)))
    titles = (f"{PRINTED}{name}" for name in ("original", ENSEMBLE, GENERATED, "of"))
    columns = (*_OURS, ENSEMBLE, *titles)
    title = "Accuracy in %, beside the paper's"
    decimals = dict.fromkeys((*_OURS, ENSEMBLE), 2)
    return Sheet(
        "beside", title, (STRUCTURE, EVALUATION), columns, tuple(rows), tuple(dict.fromkeys(notes)), decimals
    ).trimmed()


def printed_sheets(paper: PublishedAccuracies) -> list[Sheet]:
    """The paper's tables."""
    return [
        Sheet(
            name=f"{paper.paper}-{table.table}",
            title=f"{paper.paper}, Table {table.table}: {table.title}"
            + (f" ({table.setting})" if table.setting else ""),
            keys=(table.key,),
            columns=tuple(f"{PRINTED}{column}" for column in table.columns),
            rows=tuple(SheetRow((name,), tuple(map(_printed, row))) for name, row in table.rows.items()),
            notes=table.notes,
        )
        for table in paper.tables
    ]


def _ours(judged: NamedEvaluation, structure: str) -> tuple[Cell, ...]:
    """Best and mean of originals and generated networks, and the ensemble."""
    originals = judged.evaluation.result(structure, ORIGINALS) or judged.trained(structure)
    cells = [*_best_and_mean(originals), *_best_and_mean(judged.generated(structure))]
    return (*cells, _best_and_mean(judged.evaluation.result(structure, ENSEMBLE))[1])


def _best_and_mean(result: MethodResult | None) -> tuple[float | None, float | None]:
    if result is None or not result.ranks_by_error:
        return None, None
    found = accuracies(result)
    return found.best, found.mean


def _printed(cell: PublishedCell) -> Cell:
    return f"{cell[0]:g}–{cell[1]:g}" if isinstance(cell, tuple) else cell
