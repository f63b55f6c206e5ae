"""Runs side by side: the ranking metric of generated and of trained networks by structure."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from zoogen.evaluation.result import MethodResult
from zoogen.reports.accuracy_axis import accuracies_of
from zoogen.reports.figures import axis_title
from zoogen.reports.named_evaluations import NamedEvaluation, Place, named, places
from zoogen.reports.styles import RUN_COLOURS, new_figure

_COUNT: dict[str, Any] = {"rotation": 90, "ha": "center", "va": "top", "fontsize": 7}


def comparison_figure(evaluations: Sequence[NamedEvaluation]) -> Figure | None:
    """A box per evaluation and structure, filled for generated, hollow for trained networks; a panel for known
    structures and one for unseen ones. What a logarithmic axis cannot show, failed networks and zeros, is counted above
    the box. Errors are shown as accuracies on a linear axis. None if nothing can be drawn."""
    found = [place for place in places(evaluations) if any(_pair(judged, place) for judged in evaluations)]
    if not any(_values(result) for judged in evaluations for place in found for result in _pair(judged, place)):
        return None
    sides = [side for side in ([p for p in found if p.known], [p for p in found if not p.known]) if side]
    widths = [max(2.2, len(side) * (0.5 + 0.34 * len(evaluations))) for side in sides]
    figure = new_figure(sum(widths) + 3.2, 4.4)
    panels = figure.subplots(1, len(sides), squeeze=False, sharey=True, width_ratios=widths)[0]
    for side, ax in zip(sides, panels, strict=True):
        _panel(ax, side, evaluations)
    panels[0].set_ylabel(
        axis_title([result for judged in evaluations for place in found for result in _pair(judged, place)])
    )
    marks = [Patch(facecolor=_shade(i), edgecolor=_shade(i), label=judged.name) for i, judged in enumerate(evaluations)]
    marks.append(Patch(facecolor="none", edgecolor="#000000", label="hollow: trained"))
    figure.legend(handles=marks, loc="outside right upper", fontsize=8, frameon=False)
    return figure


def _panel(ax: Axes, side: Sequence[Place], evaluations: Sequence[NamedEvaluation]) -> None:
    room = 0.84 / (2 * len(evaluations))
    for index, place in enumerate(side):
        for order, judged in enumerate(evaluations):
            for offset, result in enumerate((judged.generated(place.structure), judged.trained(place.structure))):
                if result is None:
                    continue
                values, at = _values(result), index + (2 * order + offset - len(evaluations) + 0.5) * room
                if values:
                    _box(ax, values, at, room, _shade(order), filled=offset == 0)
                ax.text(at, 0.99, not_drawn(result), **_COUNT, color=_shade(order), transform=ax.get_xaxis_transform())
        if index:
            ax.axvline(index - 0.5, color="#DDDDDD", lw=0.8)
    if not all(result.ranks_by_error for place in side for judged in evaluations for result in _pair(judged, place)):
        ax.set_yscale("log")
    ax.grid(axis="y", color="#E5E5E5", lw=0.7)
    ax.set_axisbelow(True)
    ax.set_xlim(-0.5, len(side) - 0.5)
    ax.set_xticks(range(len(side)), [named(place.label, place.structure, "\n") for place in side], fontsize=8)
    ax.set_title(f"{'known' if side[0].known else 'unseen'} structures", fontsize=10)


def not_drawn(result: MethodResult) -> str:
    """How many networks have no mark: `2 of 8 failed`, `1 of 8 at 0`; empty if all have one."""
    values = result.metrics[result.primary]
    failed = sum(not math.isfinite(value) for value in values)
    zero = 0 if result.ranks_by_error else sum(value <= 0 for value in values)
    counts = ((failed, "failed"), (zero, "at 0"))
    return ", ".join(f"{count} of {len(values)} {what}" for count, what in counts if count)


def _box(ax: Axes, values: Sequence[float], at: float, room: float, shade: str, *, filled: bool) -> None:
    line = {"color": shade, "linewidth": 1.1}
    ax.boxplot(
        [values],
        positions=[at],
        widths=0.75 * room,
        manage_ticks=False,
        patch_artist=True,
        boxprops={"facecolor": shade if filled else "white", "edgecolor": shade, "alpha": 0.75 if filled else 1.0},
        medianprops={"color": "#000000" if filled else shade, "linewidth": 1.4},
        whiskerprops=line,
        capprops=line,
        flierprops={"marker": ".", "markersize": 3, "markeredgecolor": shade},
    )


def _pair(judged: NamedEvaluation, place: Place) -> list[MethodResult]:
    pair = (judged.generated(place.structure), judged.trained(place.structure))
    return [result for result in pair if result is not None]


def _values(result: MethodResult) -> list[float]:
    values = result.metrics[result.primary]
    if result.ranks_by_error:
        shown = zip(values, accuracies_of(result), strict=True)
        return [accuracy for error, accuracy in shown if math.isfinite(error)]
    return [value for value in values if 0 < value < math.inf]


def _shade(order: int) -> str:
    return RUN_COLOURS[order % len(RUN_COLOURS)]
