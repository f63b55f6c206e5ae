"""Quality against novelty: whether what is good is also new."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from zoogen.evaluation.result import Evaluation, MethodResult
from zoogen.reports.rows import NOVELTY, metric_title
from zoogen.reports.runs import GENERATED
from zoogen.reports.styles import colour, marker, new_figure

_PANEL, _PER_ROW = 3.6, 4
# The first measure that there is counts: what networks do says more than where their weights lie.
_AXES = {
    "behaviour_train": "distance in behaviour to the nearest training checkpoint",
    "matched_train": "matched distance to the nearest training checkpoint, per weight",
    "nearest_train": "distance to the nearest training checkpoint, per weight",
}


def novelty_figure(evaluation: Evaluation) -> Figure | None:
    """One panel per known structure: distance to the training checkpoints (x) against the ranking metric (y).

    One dot per network, log axes; the dashed line is the distance between training runs. Networks at distance zero
    are drawn at the left edge. None without distances.
    """
    measure = next((m for m in _AXES if any(_of(r, m) for r in evaluation.results)), None)
    if measure is None:
        return None
    results = [result for result in evaluation.results if len(_points(result, measure))]
    structures = list(dict.fromkeys(result.structure for result in results))
    if not structures:
        return None
    columns = min(len(structures), _PER_ROW)
    lines = math.ceil(len(structures) / columns)
    figure = new_figure(_PANEL * columns + 1.9, _PANEL * lines + 0.6)
    axes = figure.subplots(lines, columns, squeeze=False).flatten()
    for structure, ax in zip(structures, axes, strict=False):
        _panel(ax, [result for result in results if result.structure == structure], measure)
    for ax in axes[len(structures) :]:
        ax.set_axis_off()
    figure.supxlabel(_AXES[measure], fontsize=9)
    ranked = " / ".join(dict.fromkeys(metric_title(result.primary) for result in results))
    figure.supylabel(f"{ranked} (lower is better)", fontsize=9)
    figure.legend(handles=_legend(results), loc="outside right upper", fontsize=8, frameon=False)
    return figure


def _panel(ax: Axes, results: Sequence[MethodResult], measure: str) -> None:
    points = {result.method: _points(result, measure) for result in results}
    positive = [x for values in points.values() for x in values[:, 0] if x > 0]
    edge = min(positive) / 2 if positive else 1e-12
    for method, values in points.items():
        x = np.maximum(values[:, 0], edge)
        front, size = (3, 55) if method == GENERATED else (2, 14)
        ax.scatter(x, values[:, 1], s=size, marker=marker(method), color=colour(method), alpha=0.6, lw=0, zorder=front)
    between = [r.floors.get(NOVELTY, {}).get("train_train", {}).get(measure) for r in results]
    for value in [value for value in between if value][:1]:
        ax.axvline(value, color="#000000", ls="--", lw=0.9, zorder=1)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_title(f"{results[0].label} ({results[0].structure})", fontsize=9)
    ax.tick_params(labelsize=7, which="both")
    ax.grid(color="#E5E5E5", lw=0.6)
    ax.set_axisbelow(True)


def _of(result: MethodResult, measure: str) -> tuple[float, ...]:
    return result.metrics.get(f"{NOVELTY}.{measure}", ())


def _points(result: MethodResult, measure: str) -> np.ndarray:
    """(distance, ranking metric) of the networks that have both, [K, 2]."""
    pairs = zip(_of(result, measure), result.metrics[result.primary], strict=False)
    kept = [(x, y) for x, y in pairs if math.isfinite(x) and 0 < y < math.inf]
    return np.array(kept, dtype=np.float64).reshape(-1, 2)


def _legend(results: Sequence[MethodResult]) -> list[Line2D]:
    methods = list(dict.fromkeys(result.method for result in results))
    marks = [Line2D([], [], marker=marker(m), ls="", ms=6, mew=0, color=colour(m), label=m) for m in methods]
    return [*marks, Line2D([], [], color="#000000", ls="--", lw=0.9, label="between training runs")]
