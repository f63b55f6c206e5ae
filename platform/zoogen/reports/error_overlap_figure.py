"""Accuracy against similarity to the originals, and how that similarity is distributed (p-diff, Figures 3 to 5)."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from zoogen.evaluation.result import MethodResult
from zoogen.reports.accuracy import ORIGINALS, accuracies, error_results, method_title, points, similarities
from zoogen.reports.accuracy_axis import show_accuracies
from zoogen.reports.named_evaluations import GENERATED, NamedEvaluation, Place, places
from zoogen.reports.styles import colour, marker, new_figure

_PANEL, _PER_ROW = 4.0, 3
_ROOM = 0.55  # inches of one violin
_FRONT = {GENERATED: 4, ORIGINALS: 3}
_SMALL, _LARGE = 20, 50  # areas of the marks of networks and of means


def similarity_figure(judged: NamedEvaluation) -> Figure | None:
    """A panel per structure: similarity to the most similar original (x) against accuracy (y).

    A faint mark per network, an outlined one at the mean of each method. The panel shows originals, held-out and
    generated networks and what lies around them; how many networks of a method lie below is written under it. None
    where similarity was not measured.
    """
    panels = [(place, results) for place in places([judged]) if (results := _drawable(judged, place))]
    if not panels:
        return None
    columns = min(len(panels), _PER_ROW)
    lines = math.ceil(len(panels) / columns)
    figure = new_figure(_PANEL * columns + 1.8, 0.9 * _PANEL * lines + 0.5)
    axes = figure.subplots(lines, columns, squeeze=False).flatten()
    for (place, results), ax in zip(panels, axes, strict=False):
        _scatter(ax, results)
        ax.set_title(place.label, fontsize=9)
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    figure.supxlabel("similarity to the most similar original", fontsize=9)
    figure.supylabel(f"{panels[0][1][0].primary.partition('.')[0]} accuracy, %", fontsize=9)
    shown = [r for (_, results), ax in zip(panels, axes, strict=False) for r in results if _in_view(ax, r)]
    methods = list(dict.fromkeys(result.method for result in shown))
    marks = [
        Line2D([], [], marker=marker(m), ls="", ms=6, mew=0, color=colour(m), label=method_title(m)) for m in methods
    ]
    marks.append(Line2D([], [], marker="o", ls="", ms=7, mew=0.9, mec="#000000", mfc="none", label="outlined: mean"))
    figure.legend(handles=marks, loc="outside right upper", fontsize=8, frameon=False)
    return figure


def similarity_violins(evaluations: Sequence[NamedEvaluation]) -> Figure | None:
    """A panel per structure: how the similarity to the most similar original is distributed, with mean accuracies.

    Of one evaluation all methods are shown, of several the originals and the generated networks of each. None where
    similarity was not measured.
    """
    panels = []
    for place in places(evaluations):
        entries = [(judged, result) for judged in evaluations for result in _drawable(judged, place)]
        if len(evaluations) > 1:
            entries = [(judged, result) for judged, result in entries if result.method in (ORIGINALS, GENERATED)]
        if entries:
            panels.append((place, entries))
    if not panels:
        return None
    widest = max(len(entries) for _, entries in panels)
    figure = new_figure(_ROOM * widest + 1.4, 3.6 * len(panels))
    axes = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    for (place, entries), ax in zip(panels, axes, strict=True):
        _violins(ax, [result for _, result in entries])
        names = [f"{judged.name} " if len(evaluations) > 1 else "" for judged, _ in entries]
        texts = [
            f"{name}{method_title(result.method)}\n{accuracies(result).mean:.2f} %"
            for name, (_, result) in zip(names, entries, strict=True)
        ]
        ax.set_xticks(range(len(entries)), texts, rotation=60, ha="right", fontsize=7)
        ax.set_title(f"{place.label}: similarity, and mean accuracy below", fontsize=9)
        ax.set_ylabel("similarity to the most similar original", fontsize=8)
    return figure


def _drawable(judged: NamedEvaluation, place: Place) -> list[MethodResult]:
    return [result for result in error_results(judged.evaluation, place.structure) if similarities(result)]


def _in_view(ax: Axes, result: MethodResult) -> bool:
    return any(y >= ax.get_ylim()[0] for _, y in points(result))


def _scatter(ax: Axes, results: Sequence[MethodResult]) -> None:
    for result in results:
        found, front = points(result), _FRONT.get(result.method, 2)
        mark, shade = marker(result.method), colour(result.method)
        x, y = zip(*found, strict=True)
        ax.scatter(x, y, s=_SMALL, marker=mark, color=shade, alpha=0.4, lw=0, zorder=front)
        across, up = (math.fsum(values) / len(values) for values in (x, y))
        size = _LARGE * (2 if result.method == GENERATED else 1)
        ax.scatter([across], [up], s=size, marker=mark, color=shade, edgecolor="#000000", lw=0.9, zorder=front + 4)
    show_accuracies(ax, {result.method: [y for _, y in points(result)] for result in results})
    low = ax.get_ylim()[0]
    seen = [x for result in results for x, y in points(result) if y >= low]
    room = 0.04 * max(max(seen) - min(seen), 0.01)
    ax.set_xlim(min(seen) - room, max(seen) + room)
    ax.tick_params(labelsize=7)
    ax.grid(color="#E5E5E5", lw=0.6)
    ax.set_axisbelow(True)


def _violins(ax: Axes, results: Sequence[MethodResult]) -> None:
    for at, result in enumerate(results):
        values, shade = similarities(result), colour(result.method)
        if max(values) - min(values) > 1e-9:
            ax.violinplot([values], positions=[at], widths=0.85, showextrema=False)
            ax.collections[-1].set(facecolor=to_rgba(shade, 0.55), edgecolor=shade, alpha=None)
        mean = math.fsum(values) / len(values)
        ax.vlines(at, min(values), max(values), color=shade, lw=1)
        ax.scatter([at], [mean], s=18, color=shade, zorder=3)
    ax.set_xlim(-0.6, len(results) - 0.4)
    ax.tick_params(labelsize=7)
    ax.grid(axis="y", color="#E5E5E5", lw=0.6)
    ax.set_axisbelow(True)
