"""Networks on their way through the denoising steps (p-diff, Figure 5b)."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from zoogen.evaluation.records import TrajectoryRecord, is_error
from zoogen.evaluation.result import CONVENTIONAL, Evaluation
from zoogen.reports.accuracy import ORIGINALS, accuracy
from zoogen.reports.named_evaluations import median
from zoogen.reports.styles import RUN_COLOURS, new_figure
from zoogen.reports.table_rows import metric_title

_WIDTH, _HEIGHT = 4.2, 3.2


def denoising_figure(evaluation: Evaluation) -> Figure | None:
    """A panel per structure: accuracy (or the ranking metric, on a logarithmic axis) after so many denoising steps.

    A line per network; the dashed line is the originals' median, or that of trained runs. Networks that are not
    finite have no mark. None where nothing was followed.
    """
    structures = list(dict.fromkeys(record.structure for record in evaluation.trajectories))
    if not structures:
        return None
    figure = new_figure(_WIDTH * len(structures) + 0.6, _HEIGHT + 0.4)
    panels = figure.subplots(1, len(structures), squeeze=False)[0]
    for structure, ax in zip(structures, panels, strict=True):
        _panel(ax, evaluation, [record for record in evaluation.trajectories if record.structure == structure])
    return figure


def _panel(ax: Axes, evaluation: Evaluation, records: Sequence[TrajectoryRecord]) -> None:
    first = records[0]
    error = is_error(first.metric)
    for index, record in enumerate(records):
        values = [_shown(value, error) for value in record.values]
        shade = RUN_COLOURS[index % len(RUN_COLOURS)]
        ax.plot(record.steps, values, marker="o", ms=3, lw=1.2, color=shade, alpha=0.8)
    line = _compared(evaluation, first)
    if line is not None:
        method, value = line
        ax.axhline(_shown(value, error), color="#000000", ls="--", lw=0.9, label=f"{method}, median")
        ax.legend(fontsize=7, frameon=False)
    if not error:
        ax.set_yscale("log")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("denoising steps done", fontsize=8)
    group = first.metric.partition(".")[0]
    ax.set_ylabel(f"{group} accuracy, %" if error else f"{metric_title(first.metric)} (lower is better)", fontsize=8)
    ax.set_title(f"{first.label}: {len(records)} networks", fontsize=9)
    ax.tick_params(labelsize=7)
    ax.grid(color="#E5E5E5", lw=0.6)


def _shown(value: float, error: bool) -> float:
    if not math.isfinite(value):
        return math.nan
    return accuracy(value) if error else value


def _compared(evaluation: Evaluation, record: TrajectoryRecord) -> tuple[str, float] | None:
    """Median of originals, or else of conventional training, judged by the same metric."""
    for method in (ORIGINALS, *CONVENTIONAL):
        value = median(evaluation.result(record.structure, method), record.metric)
        if value is not None:
            return ("originals" if method == ORIGINALS else method), value
    return None
