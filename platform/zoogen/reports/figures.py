"""Figures of an evaluation: learnt distributions, and the metric that ranks."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.ticker import LogFormatterSciNotation, ScalarFormatter

from zoogen.evaluation.config import TRUTH
from zoogen.evaluation.result import Evaluation, MethodResult, PortraitRecord
from zoogen.reports.accuracy import method_title
from zoogen.reports.accuracy_axis import accuracies_of, show_accuracies
from zoogen.reports.named_evaluations import named
from zoogen.reports.styles import colour, new_figure
from zoogen.reports.table_rows import metric_title, number

_PANEL_INCHES = 2.1  # edge of one picture
_JITTER = 0.28  # of the room that a method has beside its neighbours


def portrait_figure(evaluation: Evaluation, structures: Sequence[str]) -> Figure | None:
    """Truth and each pictured method's median network side by side, one row per structure; None without pictures.

    The colours of a row share the truth's range, so that equal colours mean equal values.
    """
    rows = [[p for p in evaluation.portraits if p.structure == s] for s in structures]
    rows = [row for row in rows if row]
    if not rows:
        return None
    methods = list(dict.fromkeys(p.method for row in rows for p in row))
    methods.sort(key=lambda method: _column_of(method, evaluation))
    figure = new_figure(_PANEL_INCHES * len(methods) + 1.6, (_PANEL_INCHES + 0.35) * len(rows) + 0.5)
    grid = figure.subplots(len(rows), len(methods), squeeze=False)
    for row, axes in zip(rows, grid, strict=True):
        of_method = {p.method: p for p in row}
        reference = np.array(of_method.get(TRUTH, row[0]).values)
        low, high = min(0.0, float(reference.min())), float(reference.max())
        above = any(float(np.max(p.values)) > high * (1 + 1e-6) for p in row)
        image = None
        for method, ax in zip(methods, axes, strict=True):
            if method in of_method:
                image = _draw_portrait(ax, of_method[method], evaluation, low, high)
            else:
                ax.set_axis_off()
        axes[0].set_axis_on()
        axes[0].set_ylabel(named(row[0].label, row[0].structure, "\n"), rotation=0, ha="right", va="center", fontsize=9)
        if image is not None:
            scale = ScalarFormatter()
            scale.set_powerlimits((-2, 3))
            bar = figure.colorbar(
                image, ax=list(axes), extend="max" if above else "neither", shrink=0.9, pad=0.015, format=scale
            )
            bar.ax.tick_params(labelsize=7)
            bar.ax.yaxis.offsetText.set_fontsize(7)
    known = all(p.known for row in rows for p in row)
    figure.suptitle(f"The truth and what was learnt, {'known' if known else 'unseen'} structures", fontsize=11)
    return figure


def _column_of(method: str, evaluation: Evaluation) -> int:
    order = [TRUTH, *evaluation.config.portraits]
    return order.index(method) if method in order else len(order)


def _draw_portrait(ax: Axes, portrait: PortraitRecord, evaluation: Evaluation, low: float, high: float) -> AxesImage:
    values = np.array(portrait.values)
    height, width = values.shape
    aspect: Literal["equal", "auto"] = "equal" if 0.25 <= height / width <= 4 else "auto"
    image = ax.imshow(values, vmin=low, vmax=high, cmap="viridis", aspect=aspect, interpolation="nearest")
    ax.invert_yaxis()  # the first coordinate upwards, as in a diagram
    ax.set_xticks([])
    ax.set_yticks([])
    # Two lines each, so that pictures stand at equal height.
    result = evaluation.result(portrait.structure, portrait.method)
    if portrait.value is not None and result is not None:
        title = f"{portrait.method}\n{metric_title(result.primary)} {number(portrait.value)}"
    else:
        title = "truth" + (f"\n{portrait.title}" if portrait.title != TRUTH else "\n")
    ax.set_title(title, fontsize=8, color=colour(portrait.method))
    return image


def metric_figure(evaluation: Evaluation) -> Figure | None:
    """Primary metric of every network by structure and method, on a log axis; None if none is positive.

    Points are networks, bars the medians. Zeros are drawn at the lower end, failed networks are left out. Errors are
    shown as accuracies, bars at their means; methods that are far worse are counted below the panel.
    """
    drawable = [r for r in evaluation.results if any(0 < v < math.inf for v in r.metrics[r.primary])]
    if not drawable:
        return None
    sides = [side for side in (True, False) if any(r.known is side for r in drawable)]
    of_side = [[r for r in drawable if r.known is side] for side in sides]
    widths = [max(2.4, 0.11 * len(results) + 0.5 * _structures(results)) for results in of_side]
    figure = new_figure(sum(widths) + 2.2, 4.4)
    panels = figure.subplots(1, len(sides), squeeze=False, sharey=True, width_ratios=widths)[0]
    smallest = min(v for r in drawable for v in r.metrics[r.primary] if 0 < v < math.inf)
    for side, results, ax in zip(sides, of_side, panels, strict=True):
        _draw_metric(ax, results, smallest / 2)
        ax.set_title(f"{'known' if side else 'unseen'} structures", fontsize=10)
    panels[0].set_ylabel(axis_title(drawable))
    methods = dict.fromkeys(r.method for r in drawable)
    errors = all(r.ranks_by_error for r in drawable)
    names = {m: method_title(m) if errors else m for m in methods}
    marks = [Line2D([], [], marker="o", ls="", ms=5, color=colour(m), label=name) for m, name in names.items()]
    figure.legend(handles=marks, loc="outside right center", fontsize=8, frameon=False)
    return figure


def axis_title(results: Sequence[MethodResult]) -> str:
    """What ranks the results: `exact JS (lower is better)`, `test accuracy, %`."""
    if all(result.ranks_by_error for result in results):
        return " / ".join(dict.fromkeys(f"{r.primary.partition('.')[0]} accuracy" for r in results)) + ", %"
    return " / ".join(dict.fromkeys(metric_title(r.primary) for r in results)) + " (lower is better)"


def _structures(results: Sequence[MethodResult]) -> int:
    return len({result.structure for result in results})


def _draw_metric(ax: Axes, results: Sequence[MethodResult], floor: float) -> None:
    structures = list(dict.fromkeys(r.structure for r in results))
    labels = {r.structure: r.label for r in results}
    random = np.random.default_rng(0)
    errors = all(result.ranks_by_error for result in results)
    for index, structure in enumerate(structures):
        own = [r for r in results if r.structure == structure]
        room = 0.86 / len(own)
        for place, result in enumerate(own):
            values, bar = _values_and_bar(result, floor, errors)
            centre = index + (place - (len(own) - 1) / 2) * room
            spread = random.uniform(-_JITTER, _JITTER, len(values)) * room
            shade = colour(result.method)
            ax.scatter(centre + spread, values, s=7, color=shade, alpha=0.45, linewidths=0)
            if math.isfinite(bar):
                ax.hlines(bar, centre - 0.45 * room, centre + 0.45 * room, color=shade, lw=2.2)
        if index:
            ax.axvline(index - 0.5, color="#DDDDDD", lw=0.8)
    if errors:  # they may be 0, and differ by little
        methods = dict.fromkeys(result.method for result in results)
        show_accuracies(ax, {m: [y for r in results if r.method == m for y in accuracies_of(r)] for m in methods})
    else:
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(LogFormatterSciNotation())
    ax.grid(axis="y", which="major", color="#E5E5E5", lw=0.7)
    ax.set_axisbelow(True)
    ax.set_xlim(-0.5, len(structures) - 0.5)
    ax.set_xticks(range(len(structures)), [named(labels[s], s, "\n") for s in structures], fontsize=8)


def _values_and_bar(result: MethodResult, floor: float, error: bool) -> tuple[np.ndarray, float]:
    """What is drawn of each network, and where the bar is: accuracies and their mean, or the metric and its median."""
    if error:
        shown = np.array(accuracies_of(result))
        return shown, float(shown.mean())
    values = np.array([max(v, floor) for v in result.metrics[result.primary] if v < math.inf])
    return values, max(result.summary().median, floor)
