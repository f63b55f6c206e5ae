"""Table and figure of fine-tuning (GenFlowNet, Figure 4)."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from rich.console import Console
from rich.table import Table
from rich.text import Text

from zoogen.evaluation.fine_tuning_config import SCRATCH
from zoogen.evaluation.fine_tuning_result import FineTuning, StartCurve, StructureCurves, steps_to_level
from zoogen.evaluation.iterations_saved import WITHIN, iterations_saved
from zoogen.evaluation.records import Summary, summarise
from zoogen.reports.html_page import PAGE, Block, HtmlPage, Made, Picture
from zoogen.reports.named_evaluations import GENERATED, Origin
from zoogen.reports.screen import first_notices, new_table, print_first, show_line
from zoogen.reports.sheets import METHOD, STRUCTURE, Sheet, SheetRow, tidy_csv
from zoogen.reports.styles import colour, new_figure, png
from zoogen.reports.table import made_with
from zoogen.reports.table_rows import metric_title, number

_REWARDED = (GENERATED, SCRATCH)  # the paper's two curves
_FIGURE = "fine-tuning.png"
SAVED = ("iterations to within 5 %", "iterations saved", "share of the trained runs' iterations")
_PANEL = (3.6, 2.9)  # inches
_START = 0.5  # where iteration 0 is drawn on the logarithmic axis


def render_fine_tuning(result: FineTuning, origin: Origin | None = None) -> dict[str, bytes]:
    """File name to content: `report.html`, `fine-tuning.json`, `table.md`, `table.csv`, `fine-tuning.png`."""
    sheet = fine_tuning_sheet(result)
    files = {
        "fine-tuning.json": result.to_json().encode(),
        "table.md": markdown(result).encode(),
        "table.csv": tidy_csv([sheet]).encode(),
        _FIGURE: png(fine_tuning_figure(result)),
    }
    return {PAGE: _page(result, sheet, files[_FIGURE], origin).render(), **files}


def _page(result: FineTuning, sheet: Sheet, figure: bytes, origin: Origin | None) -> HtmlPage:
    told = {"task": result.task, "fine_tuning": result.config.model_dump(mode="json")}
    configuration = origin.configuration if origin is not None else told
    return HtmlPage(
        title=_title(result),
        about=f"All starts of a structure at equal compute, {result.environment.date}",
        verdicts=tuple(summary_lines(result)),
        overview=replace(Block.of(sheet), notes=(_explained(result),)),
        notices=tuple(notices(result)),
        sections=(),
        figures=(Picture(_FIGURE, "Reward and ranking metric while training on", figure),),
        command=origin.command if origin is not None else "",
        origins=(Made.of("", configuration, result.inputs.model_dump(), result.environment),),
    )


def _title(result: FineTuning) -> str:
    return f"Fine-tuning of {result.inputs.study}" if result.inputs.study else "Fine-tuning"


def fine_tuning_sheet(result: FineTuning) -> Sheet:
    """One row per structure and start: the metric before and after, and how soon each level is reached."""
    names = list(dict.fromkeys(name for found in result.results for name in found.levels(result.config.factors)))
    titles = [title for name in names for title in (f"reached {name}", f"steps to {name}", f"saved to {name}")]
    rows = []
    for found in result.results:
        levels = found.levels(result.config.factors)
        for curve in found.curves:
            summaries = curve.summaries()
            cells: list[float | int | str | None] = [
                curve.count,
                found.level,
                summaries[0].median,
                summaries[-1].median,
            ]
            cells += [min(summary.median for summary in summaries), curve.seconds / curve.count]
            cells += _saved_cells(found, curve)
            for name in names:
                cells += _cells(found, levels.get(name), curve)
            rows.append(SheetRow((found.label, curve.start), tuple(cells)))
    metrics = dict.fromkeys(metric_title(found.primary) for found in result.results)
    metric = " / ".join(metrics)
    columns = ("N", "trained", f"{metric} before", "after", "best", "s per network", *SAVED, *titles)
    return Sheet("fine-tuning", f"{metric} of networks trained on", (STRUCTURE, METHOD), columns, tuple(rows))


def _saved_cells(found: StructureCurves, curve: StartCurve) -> tuple[float | str | None, ...]:
    saved = iterations_saved(found, curve.start)
    if saved is None:
        return None, None, None
    needed = saved.needed if math.isfinite(saved.needed) else f"> {saved.limit}"
    return needed, _saved(found, curve), saved.share_of_training


def _saved(found: StructureCurves, curve: StartCurve) -> str | None:
    """Iterations that a start saves, for reading: `3,380`, `> 3,880` where from scratch none gets there."""
    saved = iterations_saved(found, curve.start)
    if saved is None or saved.saved is None:
        return None
    return f"{'> ' if saved.is_bound else ''}{saved.saved:,.0f}"


def _cells(
    found: StructureCurves, level: float | None, curve: StartCurve
) -> tuple[float | None, float | None, float | None]:
    if level is None:
        return None, None, None
    needed = steps_to_level(found, level, curve.start)
    return needed.reached, needed.half if math.isfinite(needed.half) else None, needed.saving


def markdown(result: FineTuning) -> str:
    """The table as Markdown, with what it was made of."""
    lines = [f"# {_title(result)}", "", *fine_tuning_sheet(result).markdown()]
    lines += [f"- {line}" for line in notices(result)]
    inputs = {key: value for key, value in result.inputs.model_dump().items() if value}
    return "\n".join([*lines, "", _explained(result), "", made_with(inputs, result.environment), ""])


def _explained(result: FineTuning) -> str:
    return (
        f"Medians over N networks of each start, all trained for {result.config.iterations} iterations with equal "
        "batches, schedules and seeds. `trained` is the median of the last checkpoints of conventionally trained runs. "
        "`reached` is the share of networks that get to a level, `steps` the judged iteration by which half of them "
        "have got there (empty where fewer do), `saved` the share of the iterations from scratch that a start saves. "
        "`iterations to within 5 %` are those by which half of the networks are at 1.05 × `trained` or better, "
        "`iterations saved` how many fewer that are than from scratch in the same cohort. "
        "A mean reward beyond a perfect sampler's is no merit: modes are then visited too often."
    )


def notices(result: FineTuning) -> list[str]:
    """All remarks, one line each."""
    lines = [line for found in result.results for line in found.notices]
    for found in result.results:
        lines += [f"{found.label} {curve.start}: {text}" for curve in found.curves for text in curve.notices]
    return lines


def fine_tuning_figure(result: FineTuning) -> Figure:
    """Above, mean reward against visited states from generated networks and from scratch (Figure 4 of the paper);
    below, the primary metric against iterations for all starts, with the level of conventional training."""
    rewarded = any(curve.reward for found in result.results for curve in found.curves)
    rows, columns = 1 + rewarded, len(result.results)
    figure = new_figure(_PANEL[0] * columns, _PANEL[1] * rows + 0.6)
    grid = figure.subplots(rows, columns, squeeze=False)
    for index, found in enumerate(result.results):
        if rewarded:
            _draw_reward(grid[0][index], found)
        _draw_metric(grid[-1][index], found)
        grid[0][index].set_title(f"{found.label} ({'known' if found.known else 'unseen'})", fontsize=10)
    if rewarded:
        grid[0][0].set_ylabel("mean reward")
    grid[-1][0].set_ylabel(f"{metric_title(result.results[0].primary)} (lower is better)")
    starts = dict.fromkeys(curve.start for found in result.results for curve in found.curves)
    marks = [Line2D([], [], color=colour(start), lw=2, marker="o", ms=3, label=start) for start in starts]
    marks.append(Line2D([], [], color="black", ls="--", lw=1, label="conventional training"))
    if any(found.expected_reward is not None for found in result.results):
        marks.append(Line2D([], [], color="black", ls=":", lw=1, label="perfect sampler"))
    figure.legend(
        handles=marks, loc="outside lower center", ncols=min(len(marks), 2 * columns), fontsize=9, frameon=False
    )
    return figure


def _draw_reward(ax: Axes, found: StructureCurves) -> None:
    for start in _REWARDED:
        curve = found.curve(start)
        if curve is not None and curve.reward:
            visited = [summarise(point).median for point in curve.states_visited]
            _band(ax, visited, [summarise(point) for point in curve.reward], start)
    if found.expected_reward is not None:
        ax.axhline(found.expected_reward, color="black", ls=":", lw=1)
    ax.set_xscale("log")
    ax.set_xlabel("visited states")
    _plain(ax)


def _draw_metric(ax: Axes, found: StructureCurves) -> None:
    for curve in found.curves:
        _band(ax, (_START, *found.steps), curve.summaries(), curve.start)
    if found.level is not None and found.level > 0:
        ax.axhline(found.level, color="black", ls="--", lw=1)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("iterations")
    decades = [10**power for power in range(int(math.log10(found.steps[-1])) + 1)]
    ax.set_xticks([_START, *decades], ["start", *(f"{step:,}" for step in decades)])
    ax.minorticks_off()
    _plain(ax)


def _band(ax: Axes, x: Sequence[float], summaries: Sequence[Summary], start: str) -> None:
    """The median as a line, the quartiles as a band; failed networks (infinite) leave gaps."""
    values = np.array([[s.q25, s.median, s.q75] for s in summaries], dtype=np.float64)
    values[~np.isfinite(values)] = np.nan
    ax.fill_between(x, values[:, 0], values[:, 2], color=colour(start), alpha=0.18, linewidth=0)
    ax.plot(x, values[:, 1], color=colour(start), lw=1.6, marker="o", ms=2.5, label=start)


def _plain(ax: Axes) -> None:
    ax.grid(which="major", color="#E5E5E5", lw=0.7)
    ax.set_axisbelow(True)
    ax.tick_params(labelsize=8)


def summary_lines(result: FineTuning) -> list[str]:
    """One line per structure and start: the metric before and after, and the steps to each level."""
    lines = []
    for found in result.results:
        level = "" if found.level is None else f", trained {number(found.level)} ({found.level_of})"
        for curve in found.curves:
            text = f"{_way(curve)}{level}"
            saved = _saved(found, curve)
            text += f"; to within 5 % of trained {saved} iterations fewer than from scratch" if saved else ""
            for name, value in found.levels(result.config.factors).items():
                text += f"; steps to {name}: {_steps(found, value, curve.start)}"
            lines.append(f"{found.label}, {metric_title(found.primary)}, {curve.start}: {text}")
    return lines


def print_fine_tuning(result: FineTuning, console: Console) -> None:
    """Print a line per structure, as many as fit a screen, and the first notices."""
    show_line(console, f"{_title(result)}: medians before and after {result.config.iterations:,} iterations")
    show_line(console, "needed: iterations until half of the networks are within 5 % of trained ones")
    shown = print_first(lambda count: _printed(result, count), len(result.results), console)
    if shown < len(result.results):
        show_line(console, f"… and {len(result.results) - shown} more structures in the report")
    for line in first_notices(notices(result)):
        show_line(console, line)


def _printed(result: FineTuning, count: int) -> Table:
    """Of each structure the level of trained networks, generated starts and starts from scratch, the best other one,
    and the iterations by which half of the networks are within 5 % of that level."""
    table = new_table()
    titles = ("structure", "trained", "generated", "from scratch", "best other start")
    for title in (*titles, "needed", "by scratch", "saved"):
        table.add_column(title, justify="left" if title == "structure" else "right")
    for found in result.results[:count]:
        generated, scratch = found.curve(GENERATED), found.curve(SCRATCH)
        others = [curve for curve in found.curves if curve.start not in _REWARDED]
        best = min(others, key=lambda curve: curve.summaries()[-1].median, default=None)
        steps = ["–" if found.level is None or c is None else _steps(found, WITHIN * found.level, c.start)
                 for c in (generated, scratch)]  # fmt: skip
        saved = _saved(found, generated) if generated is not None else None
        other = f"{best.start} {_way(best)}" if best is not None else "–"
        ways = ["–" if curve is None else _way(curve) for curve in (generated, scratch)]
        table.add_row(*map(Text, (found.label, number(found.level), *ways, other, *steps, saved or "–")))
    return table


def _way(curve: StartCurve) -> str:
    summaries = curve.summaries()
    return f"{number(summaries[0].median)} → {number(summaries[-1].median)}"


def _steps(found: StructureCurves, level: float, start: str) -> str:
    needed = steps_to_level(found, level, start)
    return number(needed.half, 5) if math.isfinite(needed.half) else f"> {found.steps[-1]}"
