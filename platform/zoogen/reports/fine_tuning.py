"""Table and figure of fine-tuning (GenFlowNet, Figure 4)."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from zoogen.evaluation.fine_tuning_config import SCRATCH
from zoogen.evaluation.fine_tuning_result import FineTuning, StartCurve, StructureCurves, steps_to_level
from zoogen.evaluation.records import Summary, summarise
from zoogen.reports.named_evaluations import GENERATED
from zoogen.reports.sheets import METHOD, STRUCTURE, Sheet, SheetRow, tidy_csv
from zoogen.reports.styles import colour, new_figure, png
from zoogen.reports.table_rows import metric_title, number

_REWARDED = (GENERATED, SCRATCH)  # the paper's two curves
_PANEL = (3.6, 2.9)  # inches
_START = 0.5  # where iteration 0 is drawn on the logarithmic axis


def render_fine_tuning(result: FineTuning) -> dict[str, bytes]:
    """File name to content: `fine-tuning.json`, `table.md`, `table.csv`, `fine-tuning.png`."""
    sheet = fine_tuning_sheet(result)
    return {
        "fine-tuning.json": result.to_json().encode(),
        "table.md": markdown(result).encode(),
        "table.csv": tidy_csv([sheet]).encode(),
        "fine-tuning.png": png(fine_tuning_figure(result)),
    }


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
            for name in names:
                cells += _cells(found, levels.get(name), curve)
            rows.append(SheetRow((found.label, curve.start), tuple(cells)))
    metrics = dict.fromkeys(metric_title(found.primary) for found in result.results)
    metric = " / ".join(metrics)
    columns = ("N", "trained", f"{metric} before", "after", "best", "s per network", *titles)
    return Sheet("fine-tuning", f"{metric} of networks trained on", (STRUCTURE, METHOD), columns, tuple(rows))


def _cells(
    found: StructureCurves, level: float | None, curve: StartCurve
) -> tuple[float | None, float | None, float | None]:
    if level is None:
        return None, None, None
    needed = steps_to_level(found, level, curve.start)
    return needed.reached, needed.half if math.isfinite(needed.half) else None, needed.saving


def markdown(result: FineTuning) -> str:
    """The table as Markdown, with what it was made of."""
    config, environment = result.config, result.environment
    lines = [f"# Fine-tuning of {result.inputs.study}" if result.inputs.study else "# Fine-tuning", ""]
    lines += fine_tuning_sheet(result).markdown()
    lines += [f"- {line}" for line in notices(result)]
    inputs = {key: value for key, value in result.inputs.model_dump().items() if value}
    made = {**inputs, **environment.hardware, **environment.versions, "git": environment.git, "date": environment.date}
    lines += [
        "",
        f"Medians over N networks of each start, all trained for {config.iterations} iterations with equal batches, "
        "schedules and seeds. `trained` is the median of the last checkpoints of conventionally trained runs. "
        "`reached` is the share of networks that get to a level, `steps` the judged iteration by which half of them "
        "have got there (empty where fewer do), `saved` the share of the iterations from scratch that a start saves. "
        "A mean reward beyond a perfect sampler's is no merit: modes are then visited too often.",
        "",
        "Made with " + ", ".join(f"{key} {value}" for key, value in made.items() if value) + ".",
        "",
    ]
    return "\n".join(lines)


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
    """The result in a few lines for a terminal: each start's metric before and after, and the steps to the level."""
    lines = []
    for found in result.results:
        level = "" if found.level is None else f", trained {number(found.level)} ({found.level_of})"
        lines.append(f"{found.label} ({found.structure}), {metric_title(found.primary)}{level}")
        for curve in found.curves:
            summaries = curve.summaries()
            text = f"{number(summaries[0].median)} → {number(summaries[-1].median)}"
            for name, value in found.levels(result.config.factors).items():
                needed = steps_to_level(found, value, curve.start)
                steps = number(needed.half, 5) if math.isfinite(needed.half) else f"> {found.steps[-1]}"
                text += f"; {name}: {steps}"
            lines.append(f"  {curve.start:<12} {text}")
    return lines
