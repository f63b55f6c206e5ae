"""Table and figure of fine-tuning say what the curves say."""

import csv
import io
import math
import struct

import pytest
from rich.console import Console

from zoogen.evaluation.fine_tuning_config import FineTuningConfig
from zoogen.evaluation.fine_tuning_result import FineTuning, StartCurve, StructureCurves
from zoogen.evaluation.machine import describe_environment
from zoogen.evaluation.records import read_record
from zoogen.evaluation.result import Inputs
from zoogen.reports.fine_tuning import (
    SAVED,
    fine_tuning_figure,
    fine_tuning_sheet,
    markdown,
    notices,
    print_fine_tuning,
    render_fine_tuning,
    summary_lines,
)

STEPS = (1, 10, 100)


def curve(start: str, *networks: tuple[float, ...], notices: tuple[str, ...] = ()) -> StartCurve:
    count = len(networks)
    return StartCurve(
        start=start,
        values=tuple(zip(*networks, strict=True)),
        reward=tuple((0.1 * (k + 1),) * count for k in range(len(STEPS))),
        states_visited=tuple((20.0 * step,) * count for step in STEPS),
        seconds=3.0 * count,
        notices=notices,
    )


def structure(name: str, known: bool, level: float | None, *curves: StartCurve) -> StructureCurves:
    return StructureCurves(
        structure=name,
        label=f"F{name}",
        known=known,
        primary="exact.js",
        steps=STEPS,
        level=level,
        expected_reward=0.15 if known else None,
        level_of="" if level is None else "held-out",
        level_steps=2000 if known else 0,
        curves=curves,
        notices=() if level is not None else (f"F{name}: no level",),
    )


RESULT = FineTuning(
    inputs=Inputs(study="hand made"),
    task={},
    config=FineTuningConfig(iterations=100, count=2, factors=(1.0, 2.0)),
    results=(
        structure(
            "2",
            True,
            0.1,
            curve("generated", (0.2, 0.3, 0.1, 0.08), (0.2, 0.3, 0.1, 0.06)),
            curve("untrained", (0.9, 0.8, 0.4, 0.1), (0.7, 0.6, 0.4, 0.1), notices=("slow",)),
            curve("random", (0.9, math.inf, 0.8, 0.8), (0.9, math.inf, 0.8, 0.6)),
        ),
        structure("5", False, None, curve("untrained", (0.5, 0.5, 0.4, 0.2))),
    ),
    environment=describe_environment(),
)


def test_table_by_hand() -> None:
    sheet = fine_tuning_sheet(RESULT)
    assert sheet.cell("exact JS before", "F2", "generated") == pytest.approx(0.2)
    assert sheet.cell("after", "F2", "generated") == pytest.approx(0.07)
    assert sheet.cell("steps to trained x1", "F2", "generated") == 10
    assert sheet.cell("saved to trained x1", "F2", "generated") == pytest.approx(0.9)
    assert sheet.cell("steps to trained x2", "F2", "generated") == 0
    assert sheet.cell("reached trained x1", "F2", "untrained") == 1
    assert sheet.cell("steps to scratch's end", "F2", "untrained") == 100
    assert sheet.cell("reached trained x1", "F2", "random") == 0
    assert sheet.cell("steps to trained x1", "F2", "random") is None, "most never get there"
    assert sheet.cell("trained", "F5", "untrained") is None
    assert sheet.cell("steps to scratch's end", "F5", "untrained") == 100
    assert sheet.cell("s per network", "F2", "generated") == 3


def test_files_agree() -> None:
    files = render_fine_tuning(RESULT)
    assert set(files) == {"report.html", "fine-tuning.json", "table.md", "table.csv", "fine-tuning.png"}
    assert read_record(FineTuning, files["fine-tuning.json"], "fine-tuning.json") == RESULT
    cells = {
        (row["structure"], row["method"], row["column"]): row["value"]
        for row in csv.DictReader(io.StringIO(files["table.csv"].decode()))
    }
    assert float(cells["F2", "generated", "after"]) == pytest.approx(0.07)
    text = markdown(RESULT)
    assert "# Fine-tuning of hand made" in text and "| F2 | generated |" in text
    assert notices(RESULT) == ["F5: no level", "F2 untrained: slow"]
    assert all(f"- {line}" in text for line in notices(RESULT))


def test_lines_tell_every_start() -> None:
    lines = summary_lines(RESULT)
    assert lines[0] == (
        "F2, exact JS, generated: .2 → .07, trained .1 (held-out); to within 5 % of trained 90 iterations fewer than "
        "from scratch; steps to trained x1: 10; steps to trained x2: 0; steps to scratch's end: 10"
    )
    assert "steps to trained x1: > 100" in lines[2]


@pytest.mark.parametrize("width", [80, 120])
def test_printed_is_one_screen(width: int) -> None:
    many = RESULT.model_copy(update={"results": RESULT.results * 20})
    for result in (RESULT, many):
        console = Console(file=io.StringIO(), width=width)
        print_fine_tuning(result, console)
        lines = console.file.getvalue().splitlines()
        assert len(lines) <= 38 and max(map(len, lines)) <= width
        assert any("F2" in line and ".2 → .07" in line for line in lines)
    assert any("more structures in the report" in line for line in lines)


def test_figure_has_a_column_per_structure_and_a_row_for_the_reward() -> None:
    figure = fine_tuning_figure(RESULT)
    assert len(figure.axes) == 4
    reward, _, metric, without_level = figure.axes
    assert [line.get_label() for line in reward.lines[:2]] == ["generated", "untrained"]
    assert list(reward.lines[2].get_ydata()) == [0.15, 0.15]
    assert list(reward.lines[0].get_xdata()) == [20, 200, 2000]
    drawn = metric.lines[0]
    assert list(drawn.get_ydata()) == pytest.approx([0.2, 0.3, 0.1, 0.07])
    assert list(drawn.get_xdata()) == [0.5, 1, 10, 100], "the start is drawn left of the first iteration"
    assert metric.lines[-1].get_linestyle() == "--" and len(without_level.lines) == 1
    width, height = struct.unpack(">II", render_fine_tuning(RESULT)["fine-tuning.png"][16:24])
    assert width > 900 and height > 800


def test_without_rewards_there_is_one_row() -> None:
    silent = tuple(c.model_copy(update={"reward": (), "states_visited": ()}) for c in RESULT.results[0].curves)
    found = RESULT.results[0].model_copy(update={"curves": silent})
    assert len(fine_tuning_figure(RESULT.model_copy(update={"results": (found,)})).axes) == 1


def test_iterations_saved_stand_in_the_table_and_on_the_screen() -> None:
    sheet = fine_tuning_sheet(RESULT)
    assert [sheet.cell(column, "F2", "generated") for column in SAVED] == [10, "90", 10 / 2000]
    assert [sheet.cell(column, "F2", "untrained") for column in SAVED] == [100, None, 100 / 2000]
    assert [sheet.cell(column, "F2", "random") for column in SAVED] == ["> 100", None, None]
    assert [sheet.cell(column, "F5", "untrained") for column in SAVED] == [None] * 3
    console = Console(file=io.StringIO(), width=120)
    print_fine_tuning(RESULT, console)
    (line,) = [line.split() for line in console.file.getvalue().splitlines() if line.startswith("F2")]
    assert line[-3:] == ["10", "100", "90"]
    assert "needed: iterations until half of the networks are within 5 % of trained ones" in console.file.getvalue()


def test_where_scratch_never_gets_there_the_saving_is_a_bound() -> None:
    hopeless = curve("untrained", (0.9, 0.8, 0.4, 0.2))
    found = RESULT.results[0].model_copy(update={"curves": (RESULT.results[0].curves[0], hopeless)})
    sheet = fine_tuning_sheet(RESULT.model_copy(update={"results": (found,)}))
    assert sheet.cell("iterations saved", "F2", "generated") == "> 90"
