"""A sweep as Markdown, CSV and a figure."""

import csv
import fnmatch
import io
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from rich.box import SIMPLE_HEAD
from rich.table import Table

from zoogen.evaluation.records import is_error
from zoogen.identity import canonical_json
from zoogen.pipelines.validation import VALIDATION_ERROR
from zoogen.reports.accuracy import ORIGINALS, accuracy_columns
from zoogen.reports.styles import RUN_COLOURS, new_figure, png
from zoogen.reports.table_rows import metric_title, number
from zoogen.sweeps.result import GENERATED, Score, SweepResult, TrialRecord

RATIO = "ratio_to_held_out"
_SWEPT = re.compile(r"(?P<key>\S+)=(?P<value>-?[\d.]+(e[+-]?\d+)?)")


def columns_of(result: SweepResult, patterns: Sequence[str] = ()) -> list[str]:
    """Metrics of the table.

    With patterns all that fit one of them; else the ranking metric of every structure and its ratio to conventionally
    trained runs, accuracies and similarities where that is an error, or what the training says of itself where nothing
    was judged.
    """
    names = list(dict.fromkeys(name for trial in result.trials for name in trial.metrics))
    if patterns:
        return [name for pattern in patterns for name in names if fnmatch.fnmatchcase(name, pattern)]
    chosen = [column for score in _structures(result) for column in _ranking_columns(score)]
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
    return _csv(header, rows)


def seconds_csv(result: SweepResult) -> str:
    """One row per trial: what its artifacts cost, and how its own process spent its time."""
    own = ("training", "judging", "waiting", "overhead", "wall")
    stages = _stages(result)
    header = ["trial", *(f"cost.{stage}" for stage in stages), *(f"trial.{part}" for part in own)]
    rows = [
        [t.name, *(t.cost.get(stage, "") for stage in stages), *(round(getattr(t.time, part), 3) for part in own)]
        for t in result.trials
    ]
    return _csv(header, rows)


def _csv(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def markdown(result: SweepResult, patterns: Sequence[str] = ()) -> str:
    """The table, what it cost, and which trials failed."""
    columns = columns_of(result, patterns)
    lines = [f"# {result.study}", "", f"Sweep `{result.digest}` of `{result.source}`, {len(result.trials)} trials.", ""]
    if _structures(result):
        lines += [_REMARKS[_of_errors(result)], ""]
    lines += _markdown_table(["trial", *map(_column_title, columns), "state"], _cells(result, columns))
    lines += ["", "## Seconds", "", "What the artifacts took, and what the trial's own process did beside that.", ""]
    stages = _stages(result)
    rows = [_seconds_cells(trial, stages) for trial in result.trials]
    lines += _markdown_table(["trial", *stages, "waiting", "overhead"], rows)
    if (time := result.time) is not None:
        lines += [
            "",
            f"The last go ran {time.trials} trials, {time.slots} at a time, in {time.wall:.0f} s; {time.overhead:.1%} "
            "of the slots' time went neither into training nor into judging.",
        ]
    if result.failed:
        lines += ["", "## Failed", "", *(f"- {name}: {reason}" for name, reason in result.failed.items())]
    return "\n".join(lines) + "\n"


_REMARKS = {
    False: "Medians over the generated networks; × is the ratio to conventionally trained runs; ° unseen.",
    True: "Accuracies in % on the test images, best and mean over networks of the originals and of the generated ones; "
    "similarity of the generated ones to their most similar original, from the least to the most similar network.",
}


def _of_errors(result: SweepResult) -> bool:
    return all(is_error(score.metric) for score in _structures(result))


def _markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (header, ["-"] * len(header), *rows)]


def printed(result: SweepResult, patterns: Sequence[str] = ()) -> Table:
    """The table for a terminal."""
    columns = columns_of(result, patterns)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in ("trial", *map(_column_title, columns), "state", "s"):
        table.add_column(title, justify="left" if title in ("trial", "state") else "right")
    for trial, cells in zip(result.trials, _cells(result, columns), strict=True):
        table.add_row(*cells, f"{trial.time.wall:.0f}")
    for name in result.failed:
        table.add_row(name, *([""] * len(columns)), "failed", "")
    return table


def _cells(result: SweepResult, columns: Sequence[str]) -> list[list[str]]:
    rows = []
    for trial in result.trials:
        unseen = {score.label for score in trial.scores if not score.known}
        cells = [_cell(trial, column, column.partition("/")[0] in unseen) for column in columns]
        state = trial.state if trial.step is None else f"{trial.state} at {trial.step}"
        rows.append([trial.name, *cells, state])
    return rows


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


def _seconds_cells(trial: TrialRecord, stages: Sequence[str]) -> list[str]:
    cost = [f"{trial.cost[stage]:.1f}" if stage in trial.cost else "–" for stage in stages]
    return [trial.name, *cost, f"{trial.time.waiting:.1f}", f"{trial.time.overhead:.1f}"]


def _values(result: SweepResult, trial: TrialRecord) -> Iterator[Any]:
    for key in result.keys:
        value = trial.values.get(key, "")
        yield canonical_json(value) if isinstance(value, list | dict) else value


def _structures(result: SweepResult) -> list[Score]:
    """The first score of every structure, known ones first."""
    first: dict[str, Score] = {}
    for trial in result.trials:
        for score in trial.scores:
            if score.structure not in first or score.known > first[score.structure].known:
                first[score.structure] = score
    return sorted(first.values(), key=lambda score: not score.known)


def sweep_figure(result: SweepResult) -> Figure | None:
    """The ranking metric of every structure against the swept value (or the trials' names), logarithmic but for errors.

    Bars reach from the lower to the upper quartile; full markers and lines are structures that the trial's zoo holds,
    hollow and dashed ones are unseen. None where nothing was judged.
    """
    structures = _structures(result)
    if not structures:
        return None
    axis = swept_axis([trial.name for trial in result.trials])
    figure = new_figure(max(6.0, 0.45 * len(result.trials) + 3.5), 4.2)
    ax = figure.subplots()
    for index, structure in enumerate(structures):
        _draw(ax, result, structure, RUN_COLOURS[index % len(RUN_COLOURS)], axis)
    if not _of_errors(result):
        ax.set_yscale("log")
    if axis is None:
        names = [trial.name for trial in result.trials]
        ax.set_xticks(range(len(names)), names, rotation=30, ha="right", fontsize=8)
    else:
        key, values = axis
        ax.set_xlabel(key)
        if min(values) > 0 and max(values) / min(values) > 20:
            ax.set_xscale("log")
        ax.set_xticks(values, [f"{value:g}" for value in values])
        ax.minorticks_off()
    titles = dict.fromkeys(metric_title(score.metric) for score in structures)
    ax.set_ylabel(f"{' / '.join(titles)} (lower is better)")
    ax.grid(axis="y", which="major", color="#E5E5E5", lw=0.7)
    ax.set_axisbelow(True)
    marks = [
        Line2D([], [], color=RUN_COLOURS[i % len(RUN_COLOURS)], ls="-" if s.known else "--", marker="o", ms=4,
               mfc=None if s.known else "white", label=s.label)
        for i, s in enumerate(structures)
    ]  # fmt: skip
    figure.legend(handles=marks, loc="outside right center", fontsize=8, frameon=False)
    return figure


def swept_axis(names: Sequence[str]) -> tuple[str, list[float]] | None:
    """Key and values if all names are `key=number` with one key, else None.

    Example:
        >>> swept_axis(["N=2", "N=3"]), swept_axis(["N=2", "both"])
        (('N', [2.0, 3.0]), None)
    """
    found = [_SWEPT.fullmatch(name) for name in names]
    keys = {match["key"] for match in found if match}
    if len(keys) != 1 or not all(found):
        return None
    return keys.pop(), [float(match["value"]) for match in found if match]


def _draw(ax: Axes, result: SweepResult, structure: Score, colour: str, axis: tuple[str, list[float]] | None) -> None:
    places = axis[1] if axis is not None else [float(index) for index in range(len(result.trials))]
    drawn = [
        (place, score)
        for place, trial in zip(places, result.trials, strict=True)
        for score in trial.scores
        if score.structure == structure.structure
        and (score.median > 0 or is_error(score.metric))
        and score.median < math.inf
    ]
    drawn.sort(key=lambda item: item[0])
    style = "-" if structure.known else "--"
    ax.plot([place for place, _ in drawn], [score.median for _, score in drawn], style, color=colour, lw=1.2)
    for place, score in drawn:
        face = colour if score.known else "white"
        ax.vlines(place, max(score.q25, score.median / 1e3), min(score.q75, 1e3 * score.median), color=colour, lw=0.8)
        ax.plot([place], [score.median], "o", ms=5, color=colour, mfc=face)


def render_sweep(result: SweepResult, patterns: Sequence[str] = ()) -> dict[str, bytes]:
    """All files of the report by name."""
    files = {
        "table.md": markdown(result, patterns).encode(),
        "table.csv": results_csv(result, patterns).encode(),
        "seconds.csv": seconds_csv(result).encode(),
    }
    figure = sweep_figure(result)
    return files if figure is None else {**files, "figure.png": png(figure)}
