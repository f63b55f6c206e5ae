"""The figure of a sweep."""

import math
import re
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from zoogen.evaluation.records import is_error
from zoogen.reports.styles import RUN_COLOURS, new_figure
from zoogen.reports.table_rows import metric_title
from zoogen.sweeps.result import Score, SweepResult

_SWEPT = re.compile(r"(?P<key>\S+)=(?P<value>-?[\d.]+(e[+-]?\d+)?)")


def judged_structures(result: SweepResult) -> list[Score]:
    """The first score of every structure, known ones first."""
    first: dict[str, Score] = {}
    for trial in result.trials:
        for score in trial.scores:
            if score.structure not in first or score.known > first[score.structure].known:
                first[score.structure] = score
    return sorted(first.values(), key=lambda score: not score.known)


def ranks_by_errors(result: SweepResult) -> bool:
    """Whether an error ranks on every structure."""
    return all(is_error(score.metric) for score in judged_structures(result))


def sweep_figure(result: SweepResult) -> Figure | None:
    """The ranking metric of every structure against the swept value (or the trials' names), logarithmic but for errors.

    Bars reach from the lower to the upper quartile; full markers and lines are structures that the trial's zoo holds,
    hollow and dashed ones are unseen. None where nothing was judged.
    """
    structures = judged_structures(result)
    if not structures:
        return None
    axis = swept_axis([trial.name for trial in result.trials])
    figure = new_figure(max(6.0, 0.45 * len(result.trials) + 3.5), 4.2)
    ax = figure.subplots()
    for index, structure in enumerate(structures):
        _draw(ax, result, structure, RUN_COLOURS[index % len(RUN_COLOURS)], axis)
    if not ranks_by_errors(result):
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
