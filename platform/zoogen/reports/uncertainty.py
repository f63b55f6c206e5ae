"""Best, average, median and chosen network (GenFlowNet, Table 16), and the variance of tensors (Table 6)."""

from collections.abc import Sequence

from zoogen.reports.named_evaluations import NamedEvaluation, chosen_value, median, places
from zoogen.reports.paper import OURS, TRAINED, paper_titles
from zoogen.reports.sheets import EVALUATION, PRINTED, STRUCTURE, Cell, Sheet, SheetRow
from zoogen.reports.table_rows import metric_title

_NO_TRIPLE = (None, None, None)


def uncertainty_sheet(evaluations: Sequence[NamedEvaluation]) -> Sheet:
    """Best, average and median over the generated networks, and the one that was chosen by other data than those of
    the row's metric."""
    rows, notes = [], []
    for place in places(evaluations):
        for judged in evaluations:
            result = judged.generated(place.structure)
            for metric in judged.metrics if result is not None else ():
                if result is None or metric not in result.metrics:
                    continue
                summary = result.summary(metric)
                published = judged.published.uncertainty_of(place.label, metric) if judged.published else None
                rows.append(
                    SheetRow(
                        (place.label, judged.name, metric_title(metric)),
                        (
                            summary.minimum,
                            summary.mean,
                            summary.median,
                            chosen_value(result, metric),
                            median(judged.trained(place.structure), metric),
                            *(published or _NO_TRIPLE),
                        ),
                    )
                )
            if result is not None and result.selection is not None:
                by = metric_title(result.selection.by)
                notes.append(f"Chosen by {by}; empty where the row's metric reads the same data.")
    published_notes = [
        f"{r.published.paper}, {name}: {note}."
        for r in evaluations
        if r.published
        for name, note in r.published.uncertainty_notes.items()
    ]
    of_paper = (f"{PRINTED}{word}" for word in ("best", "average", "median"))
    columns = ("best", "average", "median", "chosen", f"{TRAINED}, median", *of_paper)
    return Sheet(
        "uncertainty",
        "Best, average and median of the generated networks",
        (STRUCTURE, EVALUATION, "metric"),
        columns,
        tuple(rows),
        tuple(dict.fromkeys([*notes, *published_notes])),
    ).trimmed()


def variance_sheet(evaluations: Sequence[NamedEvaluation]) -> Sheet:
    """Variance of each tensor over all values of all networks, and between networks, generated against trained."""
    titles = paper_titles(evaluations)
    rows, notes = [], []
    for place in places(evaluations):
        for judged in evaluations:
            generated, trained = judged.generated(place.structure), judged.trained(place.structure)
            if generated is None or not generated.tensors:
                continue
            published = judged.published.variance_of(place.label, generated.count) if judged.published else None
            if published is not None:
                odd = f"; {published.note}" if published.note else ""
                notes.append(f"The paper's numbers for {published.structure} are over {published.models} models{odd}.")
            for name, ours in generated.tensors.items():
                theirs = trained.tensors.get(name) if trained is not None else None
                printed: tuple[Cell, ...] = (None, None)
                if published is not None and name in published.tensors:
                    printed = published.tensors[name]
                measured = (ours.variance, theirs.variance if theirs else None)
                between = (ours.between, theirs.between if theirs else None)
                rows.append(
                    SheetRow((place.label, judged.name, name), (*measured, *between, *(printed if titles else ())))
                )
    columns = (OURS, TRAINED, f"between networks, {OURS}", f"between networks, {TRAINED}", *titles)
    keys = (STRUCTURE, EVALUATION, "tensor")
    title = "Variance of the weights of each tensor"
    return Sheet("variance", title, keys, columns, tuple(rows), tuple(dict.fromkeys(notes))).trimmed()
