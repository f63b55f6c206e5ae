"""A sweep as a printed table, Markdown, CSV and a page."""

import fnmatch
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from zoogen.evaluation.records import is_error
from zoogen.identity import canonical_json
from zoogen.pipelines.validation import VALIDATION_ERROR
from zoogen.reports.accuracy import ORIGINALS, accuracy_columns
from zoogen.reports.html_page import PAGE, Block, HtmlPage, Made, Picture, Section
from zoogen.reports.named_evaluations import Origin
from zoogen.reports.screen import TABLE_LINES, fitting_columns, new_table, print_first, short_names, show_line
from zoogen.reports.styles import png
from zoogen.reports.table_rows import metric_title, number
from zoogen.reports.text_tables import TextCell, TextTable, csv_text
from zoogen.sweeps.figure import judged_structures, ranks_by_errors, sweep_figure
from zoogen.sweeps.result import GENERATED, Score, SweepResult, TrialRecord

RATIO = "ratio_to_held_out"
_FIGURE = "figure.png"
_FAILURES = 5  # failed trials that are printed, so that others find room


def columns_of(result: SweepResult, patterns: Sequence[str] = ()) -> list[str]:
    """Metrics of the table.

    With patterns all that fit one of them; else the ranking metric of every structure and its ratio to conventionally
    trained runs, accuracies and similarities where that is an error, or what the training says of itself where nothing
    was judged.
    """
    names = list(dict.fromkeys(name for trial in result.trials for name in trial.metrics))
    if patterns:
        return [name for pattern in patterns for name in names if fnmatch.fnmatchcase(name, pattern)]
    chosen = [column for score in judged_structures(result) for column in _ranking_columns(score)]
    if not chosen:
        chosen = [VALIDATION_ERROR, *fnmatch.filter(names, "validation/*/error"), "generator/loss", "loss"]
    return [name for name in chosen if name in names]


def _ranking_columns(score: Score) -> tuple[str, ...]:
    if is_error(score.metric):
        return accuracy_columns(score.label)
    return tuple(f"{score.label}/{GENERATED}/{column}" for column in (score.metric, RATIO))


def results_csv(result: SweepResult, patterns: Sequence[str] = ()) -> str:
    """One row per trial: name, swept values, state, metrics with all digits. Equal results give equal text."""
    columns = columns_of(result, patterns)
    header = ["trial", *result.keys, "state", "step", *columns]
    rows = [
        [t.name, *_values(result, t), t.state, t.step or "", *(t.metrics.get(column, "") for column in columns)]
        for t in result.trials
    ]
    return csv_text(header, rows)


def seconds_csv(result: SweepResult) -> str:
    """One row per trial: what its artifacts cost, and how its own process spent its time."""
    own = ("training", "judging", "waiting", "overhead", "wall")
    stages = _stages(result)
    header = ["trial", *(f"cost.{stage}" for stage in stages), *(f"trial.{part}" for part in own)]
    rows = [
        [t.name, *(t.cost.get(stage, "") for stage in stages), *(round(getattr(t.time, part), 3) for part in own)]
        for t in result.trials
    ]
    return csv_text(header, rows)


def markdown(result: SweepResult, patterns: Sequence[str] = ()) -> str:
    """The table, what it cost, and which trials failed."""
    lines = [f"# {result.study}", "", _about(result), ""]
    lines += [*_remarks(result), *([""] if _remarks(result) else [])]
    lines += results_table(result, patterns).markdown()
    lines += ["", "## Seconds", "", _SECONDS, "", *seconds_table(result).markdown()]
    if (spent := _spent(result)) is not None:
        lines += ["", spent]
    if result.failed:
        lines += ["", "## Failed", "", *(f"- {name}: {reason}" for name, reason in result.failed.items())]
    return "\n".join(lines) + "\n"


def _about(result: SweepResult) -> str:
    return f"Sweep `{result.digest}` of `{result.source}`, {len(result.trials)} trials."


def _remarks(result: SweepResult) -> list[str]:
    return [_REMARKS[ranks_by_errors(result)]] if judged_structures(result) else []


def _spent(result: SweepResult) -> str | None:
    if (time := result.time) is None:
        return None
    return (
        f"The last go ran {time.trials} trials, {time.slots} at a time, in {time.wall:.0f} s; {time.overhead:.1%} "
        "of the slots' time went neither into training nor into judging."
    )


_SECONDS = "What the artifacts took, and what the trial's own process did beside that."
_REMARKS = {
    False: "Medians over the generated networks; × is the ratio to conventionally trained runs; ° unseen.",
    True: "Accuracies in % on the test images, best and mean over networks of the originals and of the generated ones; "
    "similarity of the generated ones to their most similar original, from the least to the most similar network.",
}


def results_table(result: SweepResult, patterns: Sequence[str] = ()) -> TextTable:
    """One row per trial that ended: its metrics and its state."""
    columns = columns_of(result, patterns)
    rows = []
    for trial in result.trials:
        unseen = {score.label for score in trial.scores if not score.known}
        cells = (TextCell(_cell(trial, c, c.partition("/")[0] in unseen), trial.metrics.get(c)) for c in columns)
        rows.append((TextCell(trial.name), *cells, TextCell(_state(trial))))
    return TextTable(("trial", *map(_column_title, columns), "state"), tuple(rows), 1)


def seconds_table(result: SweepResult) -> TextTable:
    """One row per trial: what its artifacts cost, and its own waiting and overhead."""
    stages = _stages(result)
    rows = []
    for trial in result.trials:
        spent = [*(trial.cost.get(stage) for stage in stages), trial.time.waiting, trial.time.overhead]
        cells = (TextCell("–" if value is None else f"{value:.1f}", value) for value in spent)
        rows.append((TextCell(trial.name), *cells))
    return TextTable(("trial", *stages, "waiting", "overhead"), tuple(rows), 1)


def print_sweep(result: SweepResult, console: Console, patterns: Sequence[str] = ()) -> None:
    """Print failed trials, then the others with as many metrics as fit the width, as many as fit a screen."""
    table = results_table(result, patterns)
    failed = [(name, *([""] * (len(table.titles) - 2)), "failed") for name in result.failed]
    rows = [*failed[:_FAILURES], *([cell.text for cell in row] for row in table.rows)]
    names = short_names(row[0] for row in rows)
    rows = [(names[name], *cells) for name, *cells in rows]
    first = rows[:TABLE_LINES]
    metrics = fitting_columns(lambda count: _printed(table.titles, first, count), len(table.titles) - 2, console)
    shown = print_first(lambda count: _printed(table.titles, rows[:count], metrics), len(rows), console)
    if len(failed) > _FAILURES:
        show_line(console, f"… and {len(failed) - _FAILURES} more failed trials in the report")
    if shown < len(rows):
        show_line(console, f"… and {len(rows) - shown} more trials in the report")
    if metrics < len(table.titles) - 2:
        show_line(console, f"… and {len(table.titles) - 2 - metrics} more columns in the report")
    for line in _remarks(result):
        show_line(console, line)


def _printed(titles: Sequence[str], rows: Sequence[Sequence[str]], metrics: int) -> Table:
    """Name, the first metrics, and state of each trial."""
    table = new_table()
    for title in (titles[0], *titles[1 : metrics + 1], titles[-1]):
        words = title in (titles[0], titles[-1])
        table.add_column(title, justify="left" if words else "right", no_wrap=not words, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, (row[0], *row[1 : metrics + 1], row[-1])))
    return table


def _state(trial: TrialRecord) -> str:
    return trial.state if trial.step is None else f"{trial.state} at {trial.step}"


def _cell(trial: TrialRecord, column: str, unseen: bool) -> str:
    if column not in trial.metrics:
        return "–"
    value = trial.metrics[column]
    return (f"{value:.2f}" if "/accuracy_" in column else number(value)) + ("°" if unseen else "")


def _column_title(column: str) -> str:
    """`A 16^4/generated/exact.js` as `A 16^4 exact.js`; ratios as `A 16^4 ×`; accuracies with their method."""
    place, _, figure = column.rpartition("/")
    if figure.startswith(("accuracy_", "similarity_")):
        label, _, method = place.rpartition("/")
        return f"{label} {'originals' if method == ORIGINALS else method} {figure.replace('_', ' ')}"
    place, _, metric = column.partition(f"/{GENERATED}/")
    return f"{place} {'×' if metric == RATIO else metric_title(metric)}" if metric else column


def _stages(result: SweepResult) -> list[str]:
    """Stages that cost something, in order."""
    return list(dict.fromkeys(stage for trial in result.trials for stage in trial.cost))


def _values(result: SweepResult, trial: TrialRecord) -> Iterator[Any]:
    for key in result.keys:
        value = trial.values.get(key, "")
        yield canonical_json(value) if isinstance(value, list | dict) else value


def render_sweep(result: SweepResult, patterns: Sequence[str] = (), origin: Origin | None = None) -> dict[str, bytes]:
    """All files of the report by name, the page first.

    Args:
        result: what to report on.
        patterns: of the metrics to show, as in `columns_of`.
        origin: the sweep's command and configuration.
    """
    files = {
        "table.md": markdown(result, patterns).encode(),
        "table.csv": results_csv(result, patterns).encode(),
        "seconds.csv": seconds_csv(result).encode(),
    }
    figure = sweep_figure(result)
    if figure is not None:
        files[_FIGURE] = png(figure)
    return {PAGE: _page(result, patterns, files.get(_FIGURE), origin).render(), **files}


def _page(result: SweepResult, patterns: Sequence[str], figure: bytes | None, origin: Origin | None) -> HtmlPage:
    configuration = origin.configuration if origin is not None else {}
    return HtmlPage(
        title=result.study,
        about=f"{_about(result)} {result.environment.date}".replace("`", ""),
        verdicts=tuple(f"{name} failed: {reason}" for name, reason in result.failed.items()),
        overview=Block("Trials", results_table(result, patterns), tuple(_remarks(result))),
        sections=(
            Section("Seconds", (Block(_SECONDS, seconds_table(result), tuple(filter(None, [_spent(result)]))),)),
        ),
        figures=(Picture(_FIGURE, "The ranking metric of every trial", figure),) if figure is not None else (),
        command=origin.command if origin is not None else "",
        origins=(Made.of("", configuration, {"sweep": result.digest}, result.environment),),
    )
