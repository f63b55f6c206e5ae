"""Quality against novelty: whether what is good is also new."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from zoogen.evaluation.result import Evaluation, MethodResult
from zoogen.reports.named_evaluations import GENERATED, named
from zoogen.reports.styles import colour, marker, new_figure
from zoogen.reports.table_rows import NOVELTY, metric_title

_PANEL, _PER_ROW = 3.6, 4
# The first measure that there is counts: what networks do says more than where their weights lie.
_AXES = {
    "behaviour_train": "distance in behaviour to the nearest training checkpoint",
    "matched_train": "matched distance to the nearest training checkpoint, per weight",
    "nearest_train": "distance to the nearest training checkpoint, per weight",
}


def novelty_figure(evaluation: Evaluation) -> Figure | None:
    """One panel per known structure: distance to the training checkpoints (x) against the ranking metric (y).

    The distance is the best one that the structure has: not every structure's networks can be compared in behaviour.
    One dot per network, log axes; the dashed line is the distance between training runs. Networks at distance zero
    are drawn at the left edge. None without distances.
    """
    panels = _panels(evaluation)
    if not panels:
        return None
    columns = min(len(panels), _PER_ROW)
    lines = math.ceil(len(panels) / columns)
    figure = new_figure(_PANEL * columns + 1.9, _PANEL * lines + 0.6)
    axes = figure.subplots(lines, columns, squeeze=False).flatten()
    measures = dict.fromkeys(measure for measure, _ in panels)
    for (measure, results), ax in zip(panels, axes, strict=False):
        _panel(ax, results, measure)
        if len(measures) > 1:
            ax.set_xlabel(_AXES[measure], fontsize=7)
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    if len(measures) == 1:
        figure.supxlabel(_AXES[panels[0][0]], fontsize=9)
    results = [result for _, of_panel in panels for result in of_panel]
    ranked = " / ".join(dict.fromkeys(metric_title(result.primary) for result in results))
    figure.supylabel(f"{ranked} (lower is better)", fontsize=9)
    figure.legend(handles=_legend(panels), loc="outside right upper", fontsize=8, frameon=False)
    return figure


def _panels(evaluation: Evaluation) -> list[tuple[str, list[MethodResult]]]:
    """Measure and results of every structure that has networks to draw."""
    panels = []
    for structure in dict.fromkeys(result.structure for result in evaluation.results):
        of_structure = [result for result in evaluation.results if result.structure == structure]
        for measure in _AXES:
            drawable = [result for result in of_structure if len(_points(result, measure))]
            if drawable:
                panels.append((measure, drawable))
                break
    return panels


def _panel(ax: Axes, results: Sequence[MethodResult], measure: str) -> None:
    points = {result.method: _points(result, measure) for result in results}
    positive = [x for values in points.values() for x in values[:, 0] if x > 0]
    edge = min(positive) / 2 if positive else 1e-12
    for method, values in points.items():
        x = np.maximum(values[:, 0], edge)
        front, size = (3, 55) if method == GENERATED else (2, 14)
        ax.scatter(x, values[:, 1], s=size, marker=marker(method), color=colour(method), alpha=0.6, lw=0, zorder=front)
    for value in _between(results, measure)[:1]:
        ax.axvline(value, color="#000000", ls="--", lw=0.9, zorder=1)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_title(named(results[0].label, results[0].structure), fontsize=9)
    ax.tick_params(labelsize=7, which="both")
    ax.grid(color="#E5E5E5", lw=0.6)
    ax.set_axisbelow(True)


def _of(result: MethodResult, measure: str) -> tuple[float, ...]:
    return result.metrics.get(f"{NOVELTY}.{measure}", ())


def _between(results: Sequence[MethodResult], measure: str) -> list[float]:
    """The distance between training runs, as each result has it; empty where there is a single run."""
    values = (result.floors.get(NOVELTY, {}).get("train_train", {}).get(measure) for result in results)
    return [value for value in values if value]


def _points(result: MethodResult, measure: str) -> np.ndarray:
    """(distance, ranking metric) of the networks that have both, [K, 2]."""
    pairs = zip(_of(result, measure), result.metrics[result.primary], strict=False)
    kept = [(x, y) for x, y in pairs if math.isfinite(x) and 0 < y < math.inf]
    return np.array(kept, dtype=np.float64).reshape(-1, 2)


def _legend(panels: Sequence[tuple[str, list[MethodResult]]]) -> list[Line2D]:
    methods = list(dict.fromkeys(result.method for _, results in panels for result in results))
    marks = [Line2D([], [], marker=marker(m), ls="", ms=6, mew=0, color=colour(m), label=m) for m in methods]
    if any(_between(results, measure) for measure, results in panels):
        marks.append(Line2D([], [], color="#000000", ls="--", lw=0.9, label="between training runs"))
    return marks
