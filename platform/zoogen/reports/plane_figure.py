"""Figure: quality of generated networks over the plane of two numbers that tell structures apart."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullLocator, ScalarFormatter

from zoogen.evaluation.result import Evaluation, MethodResult
from zoogen.reports.figures import axis_title
from zoogen.reports.named_evaluations import GENERATED
from zoogen.reports.styles import new_figure
from zoogen.reports.table_rows import number

_WRITTEN = 60  # structures whose values are written beside them
_BESIDE = 1.15  # ratio across within which numbers under two marks would run into each other
_UNDER, _OVER = -14, 9  # points from a mark to its number
_LOOKS: dict[bool, dict[str, Any]] = {
    False: {"marker": "o", "s": 110},
    True: {"marker": "s", "s": 150, "edgecolors": "black", "linewidths": 1.6},
}


def plane_figure(evaluation: Evaluation) -> Figure | None:
    """Median of the ranking metric of generated networks as colours over two coordinates (`Evaluation.axes`), such as
    horizon and dimensions of grids: squares with an edge are structures of the zoo (empty ones were not judged),
    circles were never taught.

    None where structures do not have just two coordinates, or none of them has a median to show.
    """
    found = [r for r in evaluation.results if r.method == GENERATED and 0 < r.summary().median < math.inf]
    names = {tuple(evaluation.axes.get(result.structure, {})) for result in found}
    if len(names) != 1 or len(pair := next(iter(names))) != 2:
        return None
    medians = [result.summary().median for result in found]
    scale = LogNorm(min(medians), max(max(medians), min(medians) * 1.01))
    figure = new_figure(8.4, 4.8)
    ax = figure.subplots()
    image = None
    for known, look in _LOOKS.items():
        places = [evaluation.axes[r.structure] for r in found if r.known is known]
        values = [r.summary().median for r in found if r.known is known]
        across, up = ([place[name] for place in places] for name in pair)
        image = ax.scatter(across, up, c=values, norm=scale, cmap="viridis_r", zorder=3, **look)
    judged = {result.structure for result in evaluation.results}
    others = [axes for name, axes in evaluation.axes.items() if name not in judged and tuple(axes) == pair]
    across, up = ([place[name] for place in others] for name in pair)
    ax.scatter(across, up, marker="s", s=40, facecolors="none", edgecolors="#888888", zorder=2)
    for at, result in _labelled(found, evaluation, pair) if len(found) <= _WRITTEN else ():
        text = number(result.summary().median, 2)
        ax.annotate(text, at[:2], xytext=(0, at[2]), textcoords="offset points", ha="center", fontsize=6)
    assert image is not None, "both looks were drawn"
    bar = figure.colorbar(image, ax=ax, pad=0.015)
    bar.set_label(f"{axis_title(found)}, median", fontsize=9)
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.margins(0.08, 0.12)
    ax.grid(color="#E5E5E5", lw=0.6)
    ax.set_axisbelow(True)
    ax.set_xlabel(pair[0])
    ax.set_ylabel(pair[1])
    marks = [
        Line2D([], [], ls="", marker="s", ms=9, mfc="none", mec="black", mew=1.6, label="taught"),
        Line2D([], [], ls="", marker="o", ms=8, color="#999999", label="never taught"),
    ]
    figure.legend(handles=marks, loc="outside upper center", ncols=2, fontsize=9, frameon=False)
    return figure


def _labelled(
    found: Sequence[MethodResult], evaluation: Evaluation, pair: tuple[str, ...]
) -> Iterator[tuple[tuple[float, float, int], MethodResult]]:
    """Place across, place up, and where the number of each result goes: under its mark, or over it where one to its
    left is close and has its own below."""
    before, side = (0.0, math.nan), _UNDER
    places = [(evaluation.axes[r.structure][pair[1]], evaluation.axes[r.structure][pair[0]], r) for r in found]
    for up, across, result in sorted(places, key=lambda place: place[:2]):
        close = up == before[1] and across < _BESIDE * before[0]
        side = _OVER if close and side == _UNDER else _UNDER
        before = (across, up)
        yield (across, up, side), result
