"""Our numbers beside a paper's: medians per structure, cost, and the ablations of the training set."""

from collections import Counter
from collections.abc import Sequence

from zoogen.evaluation.records import is_error
from zoogen.evaluation.result import MethodResult
from zoogen.reports.named_evaluations import GENERATED, NamedEvaluation, Place, median, places
from zoogen.reports.published.numbers import SECONDS, Factor, PublishedResult, short_label
from zoogen.reports.sheets import PRINTED, RUN, STRUCTURE, Cell, Sheet, SheetRow
from zoogen.reports.table_rows import metric_title

OURS, TRAINED, UNTRAINED = GENERATED, "trained", "untrained"
_FACTORS: dict[Factor, str] = {
    "structures": "N, structures in the training set",
    "models": "M, models of each structure",
}


def paper_sheets(runs: Sequence[NamedEvaluation]) -> list[Sheet]:
    """GenFlowNet's Tables 1, 2 and 9 (one sheet per metric, then seconds), 4 and 10-15 where runs vary N or M."""
    metrics = list(dict.fromkeys(metric for run in runs for metric in run.metrics))
    # Errors are told as accuracies, on a page of their own.
    sheets = [metric_sheet(runs, metric) for metric in metrics if not is_error(metric)]
    sheets.append(seconds_sheet(runs))
    sheets += [ablation_sheet(runs, factor) for factor in _FACTORS]
    return [sheet for sheet in (s.trimmed() for s in sheets) if sheet.rows]


def metric_sheet(runs: Sequence[NamedEvaluation], metric: str) -> Sheet:
    """Medians of one metric over networks: ours, the protocol's floors, the paper's."""
    group, _, name = metric.partition(".")
    floors = list(dict.fromkeys(f for run in runs for r in run.evaluation.results for f in r.floors.get(group, {})))
    floors = [floor for floor in floors if floor != UNTRAINED]
    titles = paper_titles(runs)
    rows = []
    for place, run in _cases(runs):
        results = [run.generated(place.structure), run.trained(place.structure)]
        read = next((r for r in run.of(place.structure) if group in r.floors), None)
        published = _published(run, place)
        rows.append(
            _row(
                place,
                run,
                *(median(result, metric) for result in results),
                _untrained(run, place, metric),
                *(read.floors[group].get(floor, {}).get(name) if read else None for floor in floors),
                published.generated.get(metric) if published else None,
                published.trained.get(metric) if published else None,
            )
        )
    columns = (OURS, TRAINED, UNTRAINED, *(floor.replace("_", " ") for floor in floors), *titles)
    return Sheet(
        metric, f"{metric_title(metric)}, medians", (STRUCTURE, RUN), columns, tuple(rows), _samples(runs, group)
    )


def seconds_sheet(runs: Sequence[NamedEvaluation]) -> Sheet:
    """Seconds to train one network and to generate one, beside the paper's time usage."""
    titles = paper_titles(runs)
    rows = []
    for place, run in _cases(runs):
        published = _published(run, place)
        rows.append(
            _row(
                place,
                run,
                generating_seconds(run.generated(place.structure)),
                training_seconds(run, place.structure),
                published.generated.get(SECONDS) if published else None,
                published.trained.get(SECONDS) if published else None,
            )
        )
    notes = (
        "Generated: sampling alone, divided by the number of networks. Trained: a cohort's time divided by its runs.",
    )
    return Sheet("seconds", "Seconds per network", (STRUCTURE, RUN), (OURS, TRAINED, *titles), tuple(rows), notes)


def ablation_sheet(runs: Sequence[NamedEvaluation], factor: Factor) -> Sheet:
    """Generated networks against N or M beside the paper's table; empty unless the runs vary the factor.

    As in the paper, one factor varies: only runs with the most frequent value of the other one are here.
    """
    runs, other, common = _varied(runs, factor)
    levels = {getattr(run.evaluation.inputs, factor) for run in runs}
    metrics = list(dict.fromkeys(metric for run in runs for metric in run.metrics))
    paper = paper_titles(runs)
    columns = [title for m in metrics for title in (metric_title(m), *(f"{p}, {metric_title(m)}" for p in paper[:1]))]
    rows: list[SheetRow] = []
    notes = [f"{_FACTORS[other]}: {common} in all rows."] if common else []
    for place, run in _cases(runs) if len(levels) > 1 else []:
        level = getattr(run.evaluation.inputs, factor)
        table = run.published.ablation(place.label, factor) if run.published else None
        cells: list[Cell] = []
        for metric in metrics:
            cells.append(median(run.generated(place.structure), metric))
            cells += [table.value(place.label, level, metric) if table else None] if paper else []
        rows.append(SheetRow((place.label, run.name, str(level)), tuple(cells)))
        notes += [f"Table {table.table}, {name}: {note}" for name, note in table.notes.items()] if table else []
    title = f"Generated networks by {_FACTORS[factor]}"
    keys = (STRUCTURE, RUN, factor)
    return Sheet(f"ablation-{factor}", title, keys, tuple(columns), tuple(rows), tuple(dict.fromkeys(notes)))


def _varied(runs: Sequence[NamedEvaluation], factor: Factor) -> tuple[list[NamedEvaluation], Factor, int]:
    """The runs that a factor is known of and that agree in the other one; the other one and its value, 0 if unknown."""
    other: Factor = "models" if factor == "structures" else "structures"
    told = [run for run in runs if getattr(run.evaluation.inputs, factor)]
    counts = Counter(getattr(run.evaluation.inputs, other) for run in told)
    common = counts.most_common(1)[0][0] if counts else 0
    return [run for run in told if getattr(run.evaluation.inputs, other) == common], other, common


def training_seconds(run: NamedEvaluation, structure: str) -> float | None:
    """Seconds of conventional training per network: of held-out or reference runs, or else of training runs."""
    results = (run.trained(structure), *run.of(structure))
    return next((r.seconds.training for r in results if r is not None and r.seconds.training is not None), None)


def generating_seconds(result: MethodResult | None) -> float | None:
    """Seconds of generation per network."""
    if result is None or result.seconds.generating is None:
        return None
    return result.seconds.generating / result.count


def paper_titles(runs: Sequence[NamedEvaluation]) -> tuple[str, ...]:
    """Titles of the paper's two columns, generated and trained; empty without a paper on the runs' tasks."""
    names = list(dict.fromkeys(run.published.names for run in runs if run.published))
    if len(names) > 1:
        return f"{PRINTED}{OURS}", f"{PRINTED}{TRAINED}"
    return tuple(f"{PRINTED}{name}" for n in names for name in (n.generated, n.trained))


def paper_remarks(runs: Sequence[NamedEvaluation]) -> tuple[str, ...]:
    """What has to be known to read the paper's numbers of the runs' structures."""
    remarks: list[str] = []
    for paper in {run.published.paper: run.published for run in runs if run.published}.values():
        shown = [short_label(place.label) for place in places(runs)]
        remarks += paper.notes
        odd = [(name, paper.results[name].note) for name in dict.fromkeys(shown) if name in paper.results]
        remarks += [f"{paper.paper}, {name}: {note}." for name, note in odd if note]
    return tuple(remarks)


def _cases(runs: Sequence[NamedEvaluation]) -> list[tuple[Place, NamedEvaluation]]:
    """Every structure with every run that has it, runs of a structure below each other."""
    return [(place, run) for place in places(runs) for run in runs if run.of(place.structure)]


def _row(place: Place, run: NamedEvaluation, *cells: Cell) -> SheetRow:
    return SheetRow((place.label, run.name), cells)


def _published(run: NamedEvaluation, place: Place) -> PublishedResult | None:
    return run.published.result(place.label) if run.published else None


def _untrained(run: NamedEvaluation, place: Place, metric: str) -> float | None:
    """Median of untrained networks, or the protocol's own reading for them where they were not judged."""
    measured = median(run.evaluation.result(place.structure, UNTRAINED), metric)
    if measured is not None:
        return measured
    group, _, name = metric.partition(".")
    readings = (r.floors.get(group, {}).get(UNTRAINED, {}).get(name) for r in run.of(place.structure))
    return next((value for value in readings if value is not None), None)


def _samples(runs: Sequence[NamedEvaluation], group: str) -> tuple[str, ...]:
    """How many samples stand behind a sampled protocol's numbers."""
    found = dict.fromkeys(
        r.settings[group]["samples"]
        for run in runs
        for r in run.evaluation.results
        if "samples" in r.settings.get(group, {})
    )
    counts = " or ".join(str(value) for value in found)
    return (f"{counts} samples per network; the perfect sampler draws as many from the truth.",) if counts else ()
