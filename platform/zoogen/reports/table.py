"""The full table of an evaluation: as Markdown, as CSV and for HTML, from the same rows."""

from collections.abc import Mapping, Sequence

from zoogen.evaluation.result import Environment, Evaluation
from zoogen.reports.accuracy import ranks_by_error
from zoogen.reports.audit import verdicts
from zoogen.reports.named_evaluations import GENERATED, NamedEvaluation, named, places
from zoogen.reports.pareto import Pareto, pareto
from zoogen.reports.table_rows import Row, metric_names, metric_title, number, report_rows, spread
from zoogen.reports.text_tables import TextCell, TextTable, csv_text, markdown_table

_STATISTICS = ("median", "q25", "q75", "mean", "std", "minimum", "maximum")


_FLOOR = "floor: "  # before a reference in the column of methods
_WORDS = 3  # columns of words before the numbers
CAPTION = (
    "Medians over N networks. Floors: what a sampled protocol reads for a reference with the same number of samples. "
    "× held-out: the median over that of conventional training, which is the last checkpoint of each held-out run (of "
    "each reference run, on unseen structures; without either, of conventional-N with the largest N)."
)


EQUIVALENT = "worth iterations"  # column of `MethodResult.equivalent`
EQUIVALENT_CAPTION = (
    "Worth iterations: how many iterations of conventional training, its schedule over just these, reach the median; "
    "interpolated between the budgets that were trained, on logarithmic axes."
)


def summary_lines(evaluation: Evaluation) -> list[str]:
    """Verdicts, ratios, cost and notices, one line each."""
    judged = NamedEvaluation(evaluation.inputs.study, evaluation)
    lines = [f"verdict on generated networks: {said.line}" for _, said in verdicts([judged])]
    lines += comparison_lines(evaluation)
    return [*lines, *(f"notice: {notice}" for notice in notices(evaluation))]


def comparison_lines(evaluation: Evaluation) -> list[str]:
    """Baselines at equal accuracy, ratios to held-out runs, and cost, one line each."""
    found = _at_equal_accuracy(NamedEvaluation(evaluation.inputs.study, evaluation))
    lines = [f"at equal accuracy: {entry.line}" for entry in found]
    worth = [f"{r.label} {r.equivalent.text}" for r in evaluation.results if r.method == GENERATED and r.equivalent]
    if worth:
        lines.append(f"generated networks are worth so many iterations of conventional training: {', '.join(worth)}")
    ratios = {} if ranks_by_error(evaluation) else evaluation.ratios()
    if ratios:
        shown = ", ".join(f"{label} {number(value)}" for label, value in ratios.items())
        lines.append(f"generated / last checkpoints of held-out runs, ratio of medians: {shown}")
    if evaluation.cost:
        lines.append("seconds: " + ", ".join(f"{stage} {number(value)}" for stage, value in evaluation.cost.items()))
    return lines


def _at_equal_accuracy(judged: NamedEvaluation) -> list[Pareto]:
    found = (pareto(judged, place.structure) for place in places([judged]))
    return [entry for entry in found if entry is not None]


def notices(evaluation: Evaluation) -> list[str]:
    """All notices, each once, with the structures and methods that they are about."""
    where: dict[str, list[str]] = {}
    for result in evaluation.results:
        for notice in result.notices:
            where.setdefault(notice, []).append(f"{result.label} {result.method}")
    grouped = [f"{', '.join(places[:3])}{' …' if len(places) > 3 else ''}: {text}" for text, places in where.items()]
    return [*evaluation.notices, *grouped]


def markdown(evaluation: Evaluation) -> str:
    """The full table as Markdown: every metric's median, quartiles for the primary one."""
    table = text_table(evaluation)
    rows = [[f"*{cell.text}*" if cell.text.startswith(_FLOOR) else cell.text for cell in row] for row in table.rows]
    lines = [f"# {_title(evaluation)}", "", *markdown_table(table.titles, rows, table.left), ""]
    lines += [line for caption in captions(evaluation) for line in (caption, "")]
    lines += [f"- {line}" for line in summary_lines(evaluation)]
    inputs = {key: value for key, value in evaluation.inputs.model_dump().items() if value}
    return "\n".join([*lines, "", made_with(inputs, evaluation.environment), ""])


def captions(evaluation: Evaluation) -> tuple[str, ...]:
    """What the columns of the full table mean."""
    return (CAPTION, *([EQUIVALENT_CAPTION] if _has_equivalents(report_rows(evaluation)) else []))


def _has_equivalents(rows: Sequence[Row]) -> bool:
    return any(row.equivalent is not None for row in rows)


def made_with(inputs: Mapping[str, object], environment: Environment) -> str:
    """One line: digests, hardware, versions, revision and date, as far as known."""
    made = {**inputs, **environment.hardware, **environment.versions, "git": environment.git, "date": environment.date}
    return "Made with " + ", ".join(f"{key} {value}" for key, value in made.items() if value) + "."


def text_table(evaluation: Evaluation) -> TextTable:
    """The full table for reading."""
    rows = report_rows(evaluation)
    main = _main_title(rows)
    others = [name for name in metric_names(rows) if metric_title(name) != main]
    worth = _has_equivalents(rows)
    titles = ["structure", "", "method", "N", f"{main} [quartiles]", "best", "× held-out"]
    titles += [EQUIVALENT] if worth else []
    titles += [metric_title(name) for name in others] + ["s to train / generate"]
    return TextTable(tuple(titles), tuple(_cells(row, others, worth) for row in rows), _WORDS)


def comma_separated(evaluation: Evaluation) -> str:
    """Every statistic of every metric as CSV, one line per structure and method."""
    rows = report_rows(evaluation)
    names = metric_names(rows)
    fixed = ("structure", "label", "known", "kind", "method", "count", "primary", "against_held_out", "training")
    worth = ("equivalent_bound", "equivalent_iterations") if _has_equivalents(rows) else ()
    titles = [*fixed, "generating", *worth, *(f"{name}.{statistic}" for name in names for statistic in _STATISTICS)]
    lines = []
    for row in rows:
        cells: list[object] = [getattr(row, name) for name in (*fixed, "generating")]
        if worth:
            cells += [row.equivalent.bound, row.equivalent.iterations] if row.equivalent else [None, None]
        for name in names:
            summary = row.statistics.get(name)
            cells += [getattr(summary, statistic) if summary else None for statistic in _STATISTICS]
        lines.append(cells)
    return csv_text(titles, lines)


def _title(evaluation: Evaluation) -> str:
    study = evaluation.inputs.study
    return f"Evaluation of {study}" if study else "Evaluation"


def _main_title(rows: Sequence[Row]) -> str:
    """Title of the primary column; structures may rank by different metrics where one is not available."""
    primaries = list(dict.fromkeys(row.primary for row in rows))
    return metric_title(primaries[0]) if len(primaries) == 1 else "ranking metric"


def _cells(row: Row, others: Sequence[str], worth: bool) -> tuple[TextCell, ...]:
    is_method, main = row.kind == "method", row.main
    cost = (row.training, row.generating)
    seconds = " / ".join(number(value) for value in cost) if any(value is not None for value in cost) else ""
    metrics = (row.statistics.get(name) for name in others)
    return (
        TextCell(named(row.label, row.structure)),
        TextCell("known" if row.known else "unseen"),
        TextCell(row.method if is_method else f"{_FLOOR}{row.method.replace('_', ' ')}"),
        _cell(row.count if is_method else None),
        TextCell(spread(main), main.median) if main else TextCell(""),
        _cell(main.minimum if main and is_method else None),
        _cell(row.against_held_out),
        *([_worth(row)] if worth else []),
        *(_cell(summary.median if summary else None) for summary in metrics),
        TextCell(seconds, next((value for value in cost if value is not None), None)),
    )


def _worth(row: Row) -> TextCell:
    return TextCell(row.equivalent.text, row.equivalent.iterations) if row.equivalent else TextCell("")


def _cell(value: float | None) -> TextCell:
    return TextCell("" if value is None else str(value) if isinstance(value, int) else number(value), value)
