"""A sweep's table fits a screen, and its page holds all of it."""

import io
import re

import pytest
from rich.console import Console
from tests.reports.test_html_page import Page

from zoogen.evaluation.result import Environment
from zoogen.reports.named_evaluations import Origin
from zoogen.sweeps.report import markdown, print_sweep, render_sweep, results_table
from zoogen.sweeps.result import Score, SweepResult, TrialRecord, TrialTime

TIME = TrialTime(begin=0.0, end=3.0, training=1.0, judging=0.5, waiting=0.25)


def sweep(trials: int, structures: int, failed: int = 1) -> SweepResult:
    """Trials `N=k`, exact JS k/1000 on every structure, the last one unseen."""
    records = []
    for number in range(1, trials + 1):
        scores, metrics = [], {}
        for index in range(structures):
            label = f"S{index} {index}^4"
            value = (number + index) / 1000
            known = index < structures - 1
            scores.append(
                Score(
                    structure=f"{index}",
                    label=label,
                    known=known,
                    metric="exact.js",
                    median=value,
                    q25=value,
                    q75=value,
                )
            )
            metrics |= {f"{label}/generated/exact.js": value, f"{label}/generated/ratio_to_held_out": 2 * value}
        records.append(
            TrialRecord(
                name=f"N={number}",
                digest=f"{number:x}",
                values={"N": number},
                state="finished",
                scores=tuple(scores),
                metrics=metrics,
                cost={"generator": 1.5},
                time=TIME,
            )
        )
    return SweepResult(
        study="<b>sweep</b>",
        digest="abc",
        source="sweep.yaml",
        stage="pipeline",
        keys=("N",),
        trials=tuple(records),
        failed={f"bad-{number}": "it <i>broke</i>" for number in range(failed)},
        environment=Environment(date="2026-01-01", versions={}, hardware={}),
    )


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize(("trials", "structures"), [(2, 2), (12, 12), (80, 12)])
def test_printed_is_one_screen(width: int, trials: int, structures: int) -> None:
    console = Console(file=io.StringIO(), width=width)
    print_sweep(sweep(trials, structures), console)
    lines = console.file.getvalue().splitlines()
    assert len(lines) <= 38 and max(map(len, lines)) <= width
    shown = [line for line in lines if line.startswith("N=")]
    assert all(re.search(r"\.\d", line) and line.rstrip().endswith("finished") for line in shown)
    assert any(line.startswith("bad-0") and line.rstrip().endswith("failed") for line in lines), "failures are not cut"
    assert len(shown) == trials or any(f"and {trials - len(shown)} more trials" in line for line in lines)
    assert structures == 2 or any("more columns in the report" in line for line in lines)


def test_many_failures_leave_room_for_results() -> None:
    console = Console(file=io.StringIO(), width=100)
    print_sweep(sweep(30, 60, failed=50), console)
    lines = console.file.getvalue().splitlines()
    assert len(lines) <= 38 and sum(line.startswith("bad-") for line in lines) == 5
    assert any(line.startswith("N=1 ") for line in lines) and "… and 45 more failed trials in the report" in lines


def test_long_names_of_trials_keep_their_columns() -> None:
    result = sweep(3, 2)
    names = [f"generator.loop.learning_rate=0.{number}, {'zoo.runs=12, ' * 20}" for number in range(3)]
    trials = (t.model_copy(update={"name": n}) for t, n in zip(result.trials, names, strict=True))
    console = Console(file=io.StringIO(), width=100)
    print_sweep(result.model_copy(update={"trials": tuple(trials)}), console)
    lines = console.file.getvalue().splitlines()
    assert len(lines) <= 38 and max(map(len, lines)) <= 100
    assert sum(line.rstrip().endswith("finished") and ".00" in line for line in lines) == 3


def test_the_page_holds_the_table_with_all_digits() -> None:
    result = sweep(3, 2)
    files = render_sweep(result, (), Origin("zoogen sweep sweep.yaml", {"study": "s", "seed": 1}))
    assert set(files) == {"report.html", "table.md", "table.csv", "seconds.csv", "figure.png"}
    page = Page(files["report.html"])
    first, seconds = page.tables
    assert [text for text, _ in first[0]] == list(results_table(result).titles)
    assert [row[1][1] for row in first[1:]] == ["0.001", "0.002", "0.003"]
    assert first[1][3][0] == ".002°" and [row[1][1] for row in seconds[1:]] == ["1.5"] * 3
    assert page.texts["h1"] == ["<b>sweep</b>"] and "bad-0 failed: it <i>broke</i>" in page.texts["li"]
    assert page.texts["pre"][0] == "zoogen sweep sweep.yaml"
    text = markdown(result)
    assert all(f"| {' | '.join(cell for cell, _ in row)} |" in text for row in (*first, *seconds))
