"""Figure: how long conventional training takes to be as good as what was generated."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullLocator

from zoogen.evaluation.result import Evaluation, MethodResult
from zoogen.reports.figures import axis_title
from zoogen.reports.named_evaluations import GENERATED
from zoogen.reports.styles import colour, new_figure
from zoogen.reports.verdict import UNTRAINED

_PANELS, _COLUMNS = 12, 4
_PANEL = (3.0, 2.5)  # inches
_LABEL = 1.35  # least ratio of iterations whose labels stand side by side
_TRAINED = "conventional-2000"  # whose colour stands for conventional training


def iterations_figure(evaluation: Evaluation) -> Figure | None:
    """The ranking metric of conventional training against its iterations, with the median of generated networks and
    its quartiles as a line across: one panel per structure, the first twelve, unseen ones before known ones.

    None where no budgets were trained, or nothing was generated.
    """
    generated = [r for r in evaluation.results if r.method == GENERATED and r.equivalent is not None]
    generated = [r for r in sorted(generated, key=lambda r: r.known) if 0 < r.summary().median < math.inf][:_PANELS]
    if not generated:
        return None
    columns = min(_COLUMNS, len(generated))
    rows = -(-len(generated) // columns)
    figure = new_figure(_PANEL[0] * columns + 0.4, _PANEL[1] * rows + 0.7)
    grid = figure.subplots(rows, columns, squeeze=False)
    for result, ax in zip(generated, grid.flat, strict=False):
        _draw(ax, result, [r for r in evaluation.results if r.structure == result.structure])
    for ax in grid.flat[len(generated) :]:
        ax.set_axis_off()
    figure.supxlabel("iterations of conventional training", fontsize=10)
    figure.supylabel(axis_title(generated), fontsize=10)
    marks = [
        Line2D([], [], color=colour(_TRAINED), marker="o", ms=4, label="conventional training, median"),
        Line2D([], [], color=colour(GENERATED), lw=2, label="generated, median and quartiles"),
        Line2D([], [], color=colour(UNTRAINED), ls=":", label=UNTRAINED),
    ]
    figure.legend(handles=marks, loc="outside upper center", ncols=min(3, columns + 1), fontsize=8, frameon=False)
    return figure


def _draw(ax: Axes, generated: MethodResult, results: Sequence[MethodResult]) -> None:
    shade = colour(_TRAINED)
    trained = [(r.iterations, r) for r in results if r.iterations is not None]
    trained.sort(key=lambda pair: pair[0])
    for iterations, result in trained:
        values = [value for value in result.metrics[result.primary] if 0 < value < math.inf]
        ax.scatter([iterations] * len(values), values, s=8, color=shade, alpha=0.35, linewidths=0)
    ax.plot([n for n, _ in trained], [r.summary().median for _, r in trained], color=shade, marker="o", ms=4, lw=1.4)
    summary = generated.summary()
    ax.axhspan(summary.q25, summary.q75, color=colour(GENERATED), alpha=0.18, lw=0)
    ax.axhline(summary.median, color=colour(GENERATED), lw=2)
    for result in results:
        if result.method == UNTRAINED:
            ax.axhline(result.summary().median, color=colour(UNTRAINED), ls=":", lw=1)
    if generated.equivalent is not None and not generated.equivalent.bound:
        ax.axvline(generated.equivalent.iterations, color=colour(GENERATED), ls="--", lw=0.9)
    worth = generated.equivalent.text if generated.equivalent is not None else ""
    ax.set_title(f"{generated.label} ({'known' if generated.known else 'unseen'}), worth {worth}", fontsize=8)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks(_apart([n for n, _ in trained]))
    ax.xaxis.set_major_formatter(FuncFormatter(_short))
    ax.tick_params(which="both", labelsize=7)
    ax.grid(which="major", color="#E5E5E5", lw=0.6)
    ax.set_axisbelow(True)


def _apart(iterations: Sequence[int]) -> list[int]:
    """Those of ascending iterations whose labels do not run into each other; the shortest training first."""
    kept: list[int] = []
    for n in iterations:
        if not kept or n >= _LABEL * kept[-1]:
            kept.append(n)
    return kept


def _short(iterations: float, _: int = 0) -> str:
    """500, 2k, 6.2k."""
    return f"{iterations / 1000:.2g}k" if 1000 <= iterations < 100_000 else f"{iterations:g}"
