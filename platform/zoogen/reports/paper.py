"""Our numbers beside a paper's: medians per structure, cost, and the ablations of the training set."""

from collections import Counter
from collections.abc import Sequence

from zoogen.evaluation.records import is_error
from zoogen.evaluation.result import MethodResult
from zoogen.reports.named_evaluations import GENERATED, NamedEvaluation, Place, median, places
from zoogen.reports.published.numbers import SECONDS, Factor, PublishedResult, short_label
from zoogen.reports.sheets import EVALUATION, PRINTED, STRUCTURE, Cell, Sheet, SheetRow
from zoogen.reports.table_rows import metric_title

OURS, TRAINED, UNTRAINED = GENERATED, "trained", "untrained"
_FACTORS: dict[Factor, str] = {
    "structures": "N, structures in the training set",
    "models": "M, models of each structure",
}


def paper_sheets(evaluations: Sequence[NamedEvaluation]) -> list[Sheet]:
    """GenFlowNet's Tables 1, 2 and 9 (one sheet per metric, then seconds), 4 and 10-15 where N or M varies."""
    metrics = list(dict.fromkeys(metric for judged in evaluations for metric in judged.metrics))
    # Errors are told as accuracies, on a page of their own.
    sheets = [metric_sheet(evaluations, metric) for metric in metrics if not is_error(metric)]
    sheets.append(seconds_sheet(evaluations))
    sheets += [ablation_sheet(evaluations, factor) for factor in _FACTORS]
    return [sheet for sheet in (s.trimmed() for s in sheets) if sheet.rows]


def metric_sheet(evaluations: Sequence[NamedEvaluation], metric: str) -> Sheet:
    """Medians of one metric over networks: ours, the protocol's floors, the paper's."""
    group, _, name = metric.partition(".")
    floors = list(
        dict.fromkeys(f for judged in evaluations for r in judged.evaluation.results for f in r.floors.get(group, {}))
    )
    floors = [floor for floor in floors if floor != UNTRAINED]
    titles = paper_titles(evaluations)
    rows = []
    for place, judged in _cases(evaluations):
        results = [judged.generated(place.structure), judged.trained(place.structure)]
        read = next((r for r in judged.of(place.structure) if group in r.floors), None)
        published = _published(judged, place)
        rows.append(
            _row(
                place,
                judged,
                *(median(result, metric) for result in results),
                _untrained(judged, place, metric),
                *(read.floors[group].get(floor, {}).get(name) if read else None for floor in floors),
                published.generated.get(metric) if published else None,
                published.trained.get(metric) if published else None,
            )
        )
    columns = (OURS, TRAINED, UNTRAINED, *(floor.replace("_", " ") for floor in floors), *titles)
    return Sheet(
        metric,
        f"{metric_title(metric)}, medians",
        (STRUCTURE, EVALUATION),
        columns,
        tuple(rows),
        _samples(evaluations, group),
    )


def seconds_sheet(evaluations: Sequence[NamedEvaluation]) -> Sheet:
    """Seconds to train one network and to generate one, beside the paper's time usage."""
    titles = paper_titles(evaluations)
    rows = []
    for place, judged in _cases(evaluations):
        published = _published(judged, place)
        rows.append(
            _row(
                place,
                judged,
                generating_seconds(judged.generated(place.structure)),
                training_seconds(judged, place.structure),
                published.generated.get(SECONDS) if published else None,
                published.trained.get(SECONDS) if published else None,
            )
        )
    notes = (
        "Generated: sampling alone, divided by the number of networks. Trained: a cohort's time divided by its runs.",
    )
    return Sheet(
        "seconds", "Seconds per network", (STRUCTURE, EVALUATION), (OURS, TRAINED, *titles), tuple(rows), notes
    )


def ablation_sheet(evaluations: Sequence[NamedEvaluation], factor: Factor) -> Sheet:
    """Generated networks against N or M beside the paper's table; empty unless the factor varies.

    As in the paper, one factor varies: only evaluations with the most frequent value of the other one are here.
    """
    evaluations, other, common = _varied(evaluations, factor)
    levels = {getattr(judged.evaluation.inputs, factor) for judged in evaluations}
    metrics = list(dict.fromkeys(metric for judged in evaluations for metric in judged.metrics))
    paper = paper_titles(evaluations)
    columns = [title for m in metrics for title in (metric_title(m), *(f"{p}, {metric_title(m)}" for p in paper[:1]))]
    rows: list[SheetRow] = []
    notes = [f"{_FACTORS[other]}: {common} in all rows."] if common else []
    for place, judged in _cases(evaluations) if len(levels) > 1 else []:
        level = getattr(judged.evaluation.inputs, factor)
        table = judged.published.ablation(place.label, factor) if judged.published else None
        cells: list[Cell] = []
        for metric in metrics:
            cells.append(median(judged.generated(place.structure), metric))
            cells += [table.value(place.label, level, metric) if table else None] if paper else []
        rows.append(SheetRow((place.label, judged.name, str(level)), tuple(cells)))
        notes += [f"Table {table.table}, {name}: {note}" for name, note in table.notes.items()] if table else []
    title = f"Generated networks by {_FACTORS[factor]}"
    keys = (STRUCTURE, EVALUATION, factor)
    return Sheet(f"ablation-{factor}", title, keys, tuple(columns), tuple(rows), tuple(dict.fromkeys(notes)))


def _varied(evaluations: Sequence[NamedEvaluation], factor: Factor) -> tuple[list[NamedEvaluation], Factor, int]:
    """Evaluations that a factor is known of and that agree in the other one; that one and its value, 0 if unknown."""
    other: Factor = "models" if factor == "structures" else "structures"
    told = [judged for judged in evaluations if getattr(judged.evaluation.inputs, factor)]
    counts = Counter(getattr(judged.evaluation.inputs, other) for judged in told)
    common = counts.most_common(1)[0][0] if counts else 0
    return [judged for judged in told if getattr(judged.evaluation.inputs, other) == common], other, common


def training_seconds(judged: NamedEvaluation, structure: str) -> float | None:
    """Seconds of conventional training per network: of held-out or reference runs, or else of training runs."""
    results = (judged.trained(structure), *judged.of(structure))
    return next((r.seconds.training for r in results if r is not None and r.seconds.training is not None), None)


def generating_seconds(result: MethodResult | None) -> float | None:
    """Seconds of generation per network."""
    if result is None or result.seconds.generating is None:
        return None
    return result.seconds.generating / result.count


def paper_titles(evaluations: Sequence[NamedEvaluation]) -> tuple[str, ...]:
    """Titles of the paper's two columns, generated and trained; empty without a paper on the tasks."""
    names = list(dict.fromkeys(judged.published.names for judged in evaluations if judged.published))
    if len(names) > 1:
        return f"{PRINTED}{OURS}", f"{PRINTED}{TRAINED}"
    return tuple(f"{PRINTED}{name}" for n in names for name in (n.generated, n.trained))


def paper_remarks(evaluations: Sequence[NamedEvaluation]) -> tuple[str, ...]:
    """What has to be known to read the paper's numbers of the structures."""
    remarks: list[str] = []
    for paper in {judged.published.paper: judged.published for judged in evaluations if judged.published}.values():
        shown = [short_label(place.label) for place in places(evaluations)]
        remarks += paper.notes
        odd = [(name, paper.results[name].note) for name in dict.fromkeys(shown) if name in paper.results]
        remarks += [f"{paper.paper}, {name}: {note}." for name, note in odd if note]
    return tuple(remarks)


def _cases(evaluations: Sequence[NamedEvaluation]) -> list[tuple[Place, NamedEvaluation]]:
    """Every structure with every evaluation that has it, those of a structure below each other."""
    return [(place, judged) for place in places(evaluations) for judged in evaluations if judged.of(place.structure)]


def _row(place: Place, judged: NamedEvaluation, *cells: Cell) -> SheetRow:
    return SheetRow((place.label, judged.name), cells)


def _published(judged: NamedEvaluation, place: Place) -> PublishedResult | None:
    return judged.published.result(place.label) if judged.published else None


def _untrained(judged: NamedEvaluation, place: Place, metric: str) -> float | None:
    """Median of untrained networks, or the protocol's own reading for them where they were not judged."""
    measured = median(judged.evaluation.result(place.structure, UNTRAINED), metric)
    if measured is not None:
        return measured
    group, _, name = metric.partition(".")
    readings = (r.floors.get(group, {}).get(UNTRAINED, {}).get(name) for r in judged.of(place.structure))
    return next((value for value in readings if value is not None), None)


def _samples(evaluations: Sequence[NamedEvaluation], group: str) -> tuple[str, ...]:
    """How many samples stand behind a sampled protocol's numbers."""
    found = dict.fromkeys(
        r.settings[group]["samples"]
        for judged in evaluations
        for r in judged.evaluation.results
        if "samples" in r.settings.get(group, {})
    )
    counts = " or ".join(str(value) for value in found)
    return (f"{counts} samples per network; the perfect sampler draws as many from the truth.",) if counts else ()
