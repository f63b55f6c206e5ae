"""The table of an evaluation: printed, as Markdown and as CSV, from the same rows."""

import csv
import io
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from zoogen.evaluation.result import Evaluation
from zoogen.reports.accuracy import ranks_by_error
from zoogen.reports.accuracy_table import accuracy_lines, accuracy_tables
from zoogen.reports.audit import verdicts
from zoogen.reports.named_evaluations import GENERATED, NamedEvaluation, named, places
from zoogen.reports.pareto import Pareto, pareto
from zoogen.reports.table_rows import Row, metric_names, metric_title, number, report_rows, spread

_STATISTICS = ("median", "q25", "q75", "mean", "std", "minimum", "maximum")


def summary_table(evaluation: Evaluation, columns: int | None = None) -> Table:
    """The table for a terminal: medians, with quartiles for the primary metric; floors in italics.

    Args:
        evaluation: what to show.
        columns: how many metrics beside the primary one; None for the first three of each protocol.
    """
    rows = report_rows(evaluation)
    main = _main_title(rows)
    others = [name for name in metric_names(rows, short=True) if metric_title(name) != main][:columns]
    table = Table(title=_title(evaluation), title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("structure\n  method", no_wrap=True)
    for title in ("N", main.replace(" ", "\n", 1) + " [quartiles]", "best", "×\nheld-out"):
        table.add_column(title, justify="right", no_wrap=True)
    for name in others:
        table.add_column(metric_title(name).replace(" ", "\n", 1), justify="right", no_wrap=True)
    table.add_column("s to train /\ngenerate", justify="right", no_wrap=True)
    previous, known = "", None
    for row in rows:
        if row.kind == "floor" and not any(name in row.statistics for name in others):
            continue
        if row.structure != previous:
            if previous:
                table.add_row()
            if row.known is not known:
                known = row.known
                table.add_row(Text("known structures" if known else "unseen structures", style="bold underline"))
            table.add_row(Text(named(row.label, row.structure), style="underline"))
            previous = row.structure
        style = "bold" if row.method == GENERATED else "italic dim" if row.kind == "floor" else ""
        method, *cells = _cells(row, others, digits=2)
        table.add_row(Text(f"  {method}"), *(Text(cell) for cell in cells), style=style)
    return table


_UNBOUNDED = 10_000  # characters: wider than any table
_WIDEST = 120  # columns: wider tables are hard to read, and the written ones hold everything
_CAPTION = (
    "Medians over N networks. Floors: what a sampled protocol reads for a reference with the same number of samples. "
    "× held-out: the median over that of conventional training, which is the last checkpoint of each held-out run (of "
    "each reference run, on unseen structures)."
)


def print_report(evaluation: Evaluation, console: Console) -> None:
    """Print the table, the ratios to held-out runs, the cost, and the notices; accuracies where an error ranks.

    The last metrics are left out beyond 120 columns, or less on a narrow console; the written tables hold all.
    """
    if ranks_by_error(evaluation):
        for table in accuracy_tables(evaluation, console.width):
            console.print(table)
        for line in (*accuracy_lines(evaluation), *summary_lines(evaluation)):
            console.print(line, highlight=False, markup=False)
        return
    columns = len(metric_names(report_rows(evaluation), short=True))
    table = summary_table(evaluation, columns)
    unbounded = console.options.update(max_width=_UNBOUNDED)
    while columns and Measurement.get(console, unbounded, table).maximum > min(console.width, _WIDEST):
        columns -= 1
        table = summary_table(evaluation, columns)
    console.print(table)
    for line in (_CAPTION, *summary_lines(evaluation)):
        console.print(line, highlight=False, markup=False)


def summary_lines(evaluation: Evaluation) -> list[str]:
    """Verdicts, ratios, cost and notices, one line each."""
    run = NamedEvaluation(evaluation.inputs.study, evaluation)
    lines = [f"verdict on generated networks: {said.line}" for _, said in verdicts([run])]
    lines += [f"at equal accuracy: {found.line}" for found in _at_equal_accuracy(run)]
    ratios = {} if ranks_by_error(evaluation) else evaluation.ratios()
    if ratios:
        shown = ", ".join(f"{label} {number(value)}" for label, value in ratios.items())
        lines.append(f"generated / last checkpoints of held-out runs, ratio of medians: {shown}")
    if evaluation.cost:
        lines.append("seconds: " + ", ".join(f"{stage} {number(value)}" for stage, value in evaluation.cost.items()))
    lines.extend(f"notice: {notice}" for notice in notices(evaluation))
    return lines


def _at_equal_accuracy(run: NamedEvaluation) -> list[Pareto]:
    found = (pareto(run, place.structure) for place in places([run]))
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
    rows = report_rows(evaluation)
    main = _main_title(rows)
    others = [name for name in metric_names(rows) if metric_title(name) != main]
    titles = ["structure", "", "method", "N", f"{main} [quartiles]", "best", "× held-out"]
    titles += [metric_title(name) for name in others] + ["s to train / generate"]
    lines = [f"# {_title(evaluation)}", "", "| " + " | ".join(titles) + " |", "|-" * len(titles) + "|"]
    for row in rows:
        seen = "known" if row.known else "unseen"
        cells = [named(row.label, row.structure), seen, *_cells(row, others)]
        if row.kind == "floor":
            cells[2] = f"*{cells[2]}*"
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    environment = evaluation.environment
    inputs = {key: value for key, value in evaluation.inputs.model_dump().items() if value}
    made = {**inputs, **environment.hardware, **environment.versions, "git": environment.git, "date": environment.date}
    lines += ["", _CAPTION, "", *(f"- {line}" for line in summary_lines(evaluation))]
    lines += ["", "Made with " + ", ".join(f"{key} {value}" for key, value in made.items() if value) + ".", ""]
    return "\n".join(lines)


def comma_separated(evaluation: Evaluation) -> str:
    """Every statistic of every metric as CSV, one line per structure and method."""
    rows = report_rows(evaluation)
    names = metric_names(rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    fixed = ("structure", "label", "known", "kind", "method", "count", "primary", "against_held_out", "training")
    writer.writerow([*fixed, "generating", *(f"{name}.{statistic}" for name in names for statistic in _STATISTICS)])
    for row in rows:
        cells: list[object] = [getattr(row, name) for name in (*fixed, "generating")]
        for name in names:
            summary = row.statistics.get(name)
            cells += [getattr(summary, statistic) if summary else None for statistic in _STATISTICS]
        writer.writerow(["" if cell is None else cell for cell in cells])
    return text.getvalue()


def _title(evaluation: Evaluation) -> str:
    study = evaluation.inputs.study
    return f"Evaluation of {study}" if study else "Evaluation"


def _main_title(rows: Sequence[Row]) -> str:
    """Title of the primary column; structures may rank by different metrics where one is not available."""
    primaries = list(dict.fromkeys(row.primary for row in rows))
    return metric_title(primaries[0]) if len(primaries) == 1 else "ranking metric"


def _cells(row: Row, others: Sequence[str], digits: int = 3) -> list[str]:
    main = row.main
    cost = [row.training, row.generating]
    seconds = " / ".join(number(value, digits) for value in cost) if any(value is not None for value in cost) else ""
    is_method = row.kind == "method"
    ratio = row.against_held_out
    return [
        row.method if is_method else f"floor: {row.method.replace('_', ' ')}",
        str(row.count) if is_method else "",
        spread(main, digits) if main else "",
        number(main.minimum, digits) if main and is_method else "",
        number(ratio, 3) if ratio is not None else "",
        *(number(row.statistics[name].median, digits) if name in row.statistics else "" for name in others),
        seconds,
    ]
