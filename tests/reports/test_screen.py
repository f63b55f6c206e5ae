"""What commands print fits a screen, whatever the study."""

import io
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table
from tests.reports import hand_errors
from tests.reports.hand_budgets import many_grids
from tests.reports.hand_made import UNSEEN, evaluation, result, usual

from zoogen.evaluation.result import Evaluation
from zoogen.reports.named_evaluations import NamedEvaluation
from zoogen.reports.screen import (
    first_notices,
    new_table,
    print_first,
    print_overview,
    report_lines,
    short_names,
    show_line,
)

WIDTHS = [80, 120]


def printed(evaluations: list[NamedEvaluation], width: int) -> list[str]:
    """Lines on a console of a width, which all of them keep."""
    console = Console(file=io.StringIO(), width=width)
    print_overview(evaluations, console)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    return lines


def with_structures(count: int, name: str = "a study") -> Evaluation:
    """The usual methods on so many structures with long names, each method with a long notice of its own."""
    results = []
    for index in range(count):
        place = {"structure": f"{index},6,6,6", "label": f"resnet18-{index}@cifar100"}
        results += [
            r.model_copy(update={**place, "notices": (f"{index} " + "few samples [b] " * 12,)})
            for r in usual().results[:3]
        ]
    return usual(study=name).model_copy(update={"results": tuple(results)})


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("count", [1, 12, 60])
def test_a_study_is_one_screen(width: int, count: int) -> None:
    lines = printed([NamedEvaluation("a study", with_structures(count))], width)
    assert len(lines) <= 38, "two lines are left for where the report lies"
    shown = sum("resnet18-" in line and "new and good" in line for line in lines)
    assert shown == count or any(
        f"… and {count - shown} more" in line and f"of all {count}: {count} new" in line for line in lines
    )
    assert count > 12 or shown == count
    assert sum("otice" in line for line in lines) <= 4


@pytest.mark.parametrize("width", WIDTHS)
def test_long_names_keep_what_tells_them_apart(width: int) -> None:
    results = []
    for index in range(8):
        place = {"structure": str(index), "label": f"{'network' * 6}-{index}-{'of-a-long-name' * 20}"}
        method = {"average-2": {"method": f"average-{'of-what-lies-near' * 9}"}}
        results += [r.model_copy(update={**place, **method.get(r.method, {})}) for r in usual().results[:3]]
    lines = printed([NamedEvaluation("s", usual().model_copy(update={"results": tuple(results)}))], width)
    text = "".join(line[:16].strip() for line in lines)
    assert len(lines) <= 38 and "network-0-" in text and "average-" in " ".join(lines)
    assert short_names(["x" * 50, "y" * 50])["x" * 50] == f"{'x' * 20}…{'x' * 19}"
    assert short_names(["x" * 50, "x" * 51])["x" * 50] == "x" * 50
    assert {len(name) for name in short_names(["x" * 500, "x" * 501]).values()} == {120}


def test_rows_that_cannot_fit_are_not_rendered() -> None:
    counts: list[int] = []

    def table(count: int) -> Table:
        counts.append(count)
        rows = new_table()
        for index in range(count):
            rows.add_row(f"{index}\n{index}")
        return rows

    console = Console(file=io.StringIO(), width=80)
    shown = print_first(table, 10_000, console, 20)
    assert max(counts) == 20 and len(counts) <= 21 and 8 <= shown <= 10
    assert len(console.file.getvalue().splitlines()) <= 20


@pytest.mark.parametrize("width", WIDTHS)
def test_many_evaluations_are_one_screen(width: int) -> None:
    names = [f"trial-{index}" for index in range(4)]
    lines = printed([NamedEvaluation(name, with_structures(12, name)) for name in names], width)
    assert len(lines) <= 38 and any("48" in line and "new and good" in line for line in lines)
    assert all(any(name in line for line in lines) for name in names)


def test_values_stand_beside_what_they_are_to_be_compared_with() -> None:
    lines = printed([NamedEvaluation("s", usual())], 120)
    assert lines[0] == "s: median exact JS, lower is better"
    (known,) = [line.split() for line in lines if line.startswith("B 6^6")]
    assert known == ["B", "6^6", ".02", ".013", "average-2", ".2", "–", "new", "and", "good"]
    (unseen,) = [line for line in lines if line.startswith("C* 12^3°")]
    assert unseen.split()[2:5] == [".45", ".001", "–"] and unseen.rstrip().endswith("worse than trained")


def test_a_rival_that_is_not_the_best_baseline_is_explained() -> None:
    assert not any(line.startswith("best baseline: ") for line in printed([NamedEvaluation("s", usual())], 100))
    others = (result("noise-0.01", (0.01,), matched=0.001), result("average-2", (0.015,), matched=0.1))
    lines = printed([NamedEvaluation("s", evaluation(result("generated", (0.02,), matched=0.1), *others))], 120)
    assert any("noise-0.01 .01" in line and line.rstrip().endswith("no better than average-2") for line in lines)
    assert "best baseline: by the metric alone; a verdict's rivals are also as new as what was generated" in lines


def test_lines_name_their_metric_where_there_are_several() -> None:
    both = [NamedEvaluation("a", usual()), NamedEvaluation("b", hand_errors.evaluation())]
    lines = printed(both, 120)
    assert lines[0] == "a, b: ranking metric"
    assert any(line.rstrip().endswith("median exact JS") for line in lines)
    assert any("82.00" in line and "mean test" in line for line in lines)


def test_untrained_quality_is_said_in_words() -> None:
    results = (result("generated", (0.4, 0.5), structure=UNSEEN), result("untrained", (0.45,), structure=UNSEEN))
    better = result("nearest", (0.1,), structure=UNSEEN)
    lines = printed([NamedEvaluation("s", evaluation(*results, better))], 80)
    assert any("nearest .1" in line and line.rstrip().endswith("as bad as untrained") for line in lines)
    lines = printed([NamedEvaluation("s", evaluation(results[0], better))], 80)
    assert any(line.rstrip().endswith("no better than nearest") for line in lines)


def test_accuracies_are_means_in_percent() -> None:
    lines = printed([NamedEvaluation("s", hand_errors.evaluation())], 80)
    assert lines[0] == "s: mean test accuracy in %" and any(" 82.00 " in line for line in lines)


def test_nothing_generated_prints_no_table() -> None:
    assert len(printed([NamedEvaluation("s", evaluation(result("held-out", (0.1,))))], 80)) == 1


def test_markup_in_names_is_text() -> None:
    console = Console(file=io.StringIO(), width=80)
    print_overview([NamedEvaluation("[red]x[/red]", usual()), NamedEvaluation("[/b]", usual())], console)
    assert "[red]x[/red]" in console.file.getvalue() and "[/b]" in console.file.getvalue()


def test_notices_beyond_the_first_are_counted() -> None:
    assert first_notices(list("abcd")) == [f"notice: {letter}" for letter in "abcd"]
    assert first_notices(list("abcde"))[-1] == "… and 2 more notices in the report"
    console = Console(file=io.StringIO(), width=20)
    show_line(console, "word " * 20)
    assert console.file.getvalue().count("\n") == 1 and console.file.getvalue().endswith("…\n")


def test_a_report_is_two_lines() -> None:
    folder = Path("/a/reports/s-1")
    lines = report_lines([folder / "table.md", folder / "report.html", folder / "x" / "report.html"])
    assert lines == ["report: /a/reports/s-1/report.html", "Markdown, CSV, figures: /a/reports/s-1"]
    assert report_lines([]) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_of_many_structures_unseen_ones_stand_first_and_the_rest_is_counted(width: int) -> None:
    lines = printed([NamedEvaluation("many", many_grids())], width)
    assert len(lines) <= 38
    marked = ["°" in line for line in lines[3:27]]
    assert marked[:12] == [True] * 12 and not any(marked[12:])
    assert any(line.startswith("… and 15 more in the report; of all 40: 28 ") for line in lines)
    assert lines[3].split()[:2] == ["10^4°", ".005"] and lines[3].rstrip().endswith("as good as trained")
    assert ("4,000" in lines[3]) is (width >= 100) is any(line.startswith("worth iterations: ") for line in lines)
    assert "trained: held-out runs; where there are none, 5,000 iterations from scratch" in lines


def test_budgets_of_training_are_no_baselines() -> None:
    (line,) = [line for line in printed([NamedEvaluation("m", many_grids(1, 1))], 120) if line.startswith("2^2")]
    assert "nearest .2" in line and "conventional" not in line
