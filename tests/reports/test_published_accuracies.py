"""p-diff's numbers: cells typed from the paper here, sums over its tables, and ours beside them."""

import csv
import io

import pytest
from tests.reports.hand_errors import STRUCTURE, evaluation, result

from zoogen.errors import ZoogenError
from zoogen.reports.documents import paper_document
from zoogen.reports.named_evaluations import NamedEvaluation
from zoogen.reports.paper_accuracy import beside_sheet
from zoogen.reports.published.accuracies import parse_accuracies, published_accuracies
from zoogen.reports.published.numbers import all_published

PAPER = published_accuracies("images")
TABLES = {table.table: table for table in PAPER.tables}


@pytest.mark.parametrize(
    ("structure", "table", "numbers"),
    [
        ("resnet18@cifar100", 1, (77.4, 77.7, 77.9)),
        ("resnet50@cifar100", 1, (78.4, 78.6, 78.7)),
        ("vit-base@pets", 1, (94.1, 94.1, 94.4)),
        ("convnext-base@imagenet1k", 1, (85.1, 85.3, 85.3)),
        ("resnet18@flowers102", 1, (80.1, 79.2, 79.7)),
        ("mlp-mini@cifar10", 2, (41.8, 41.8, 42.4)),
        ("convnext-mini@stl10", 2, (48.1, 47.8, 48.1)),
        ("cnn-small@svhn", 7, (71.3, None, 74.1)),
    ],
)
def test_accuracies(structure, table, numbers):
    found = PAPER.results[structure]
    assert (found.table, found.original, found.ensemble, found.generated) == (table, *numbers)
    assert found.statistic == ("mean" if table == 7 else "best")


def test_tables_are_whole():
    # Sums over the columns of Tables 1 and 2 as printed, added up apart from the file.
    sums = {1: (3208.7, 3205.9, 3211.2), 2: (535.1, 532.6, 536.0)}
    for table, expected in sums.items():
        rows = [r for r in PAPER.results.values() if r.table == table]
        assert len(rows) == {1: 36, 2: 10}[table]
        found = (sum(r.original for r in rows), sum(r.ensemble for r in rows), sum(r.generated for r in rows))
        assert found == pytest.approx(expected)
    assert {name: len(table.rows) for name, table in TABLES.items()} == {
        "3a": 4, "3b": 5, "3c": 5, "3d": 3, "3e": 5, "3f": 5, "4": 5, "6": 11, "7": 2, "8": 3, "9": 4, "13": 4,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("table", "row", "cells"),
    [
        ("3a", "nothing", (77.5, 76.7)),
        ("3b", "× 5000", (77.3, 76.8)),
        ("3c", "× 100", (77.5, 77.2)),
        ("3d", "Adam", (79.7, 79.6, 79.4)),
        ("3e", "10", (77.0, 76.6)),
        ("3f", "fourth", (77.7, 77.3, 76.8)),
        ("4", "× 0.1", (77.4, (0.75, 0.83))),
        ("6", "MLP-mini, entire", (66970,)),
        ("7", "MNIST", (92.1, 68.6, 86.7, 84.8, 93.3)),
        ("8", "vae", (77.3, 76.6, (0.74, 0.82))),
        ("9", "10", (74.6, 70.5)),
        ("13", "300288", (44882, 1024, 12942)),
    ],
)
def test_cells(table, row, cells):
    assert TABLES[table].rows[row] == cells


def test_default_rows_agree_between_tables():
    """The default setting is printed many times."""
    rows = [TABLES["3a"].rows["both"], TABLES["3b"].rows["0.001"], TABLES["3c"].rows["0.1"], TABLES["3e"].rows["300"]]
    rows += [TABLES["3d"].rows["AdamW"][1:], TABLES["3f"].rows["fifth"][1:], TABLES["9"].rows["1000"]]
    assert set(rows) == {(77.9, 77.7)}
    assert TABLES["8"].rows["p-diff"][2] == TABLES["4"].rows["0.001 & 0.1"][1] == (0.85, 0.87)


def test_ours_stand_beside_the_papers():
    sheet = beside_sheet([NamedEvaluation("r", evaluation())])
    assert sheet.cell("generated, best", STRUCTURE) == pytest.approx(81.0)
    assert sheet.cell("originals, mean", STRUCTURE) == pytest.approx(81.0)
    assert sheet.cell("ensemble", STRUCTURE) == pytest.approx(82.0)
    assert sheet.cell("paper: original", STRUCTURE) == 77.4 and sheet.cell("paper: ensemble", STRUCTURE) == 77.7
    assert sheet.cell("paper: of", STRUCTURE) == "resnet18@cifar100, Table 1, best" and not sheet.notes


@pytest.mark.parametrize(
    ("structure", "other"),
    [("resnet18-narrow@digits", "resnet18@cifar100"), ("mlp-mini@glyphs-3", "mlp-mini@cifar10"),
     ("cnn-medium@digits", "cnn-small@mnist")],
)  # fmt: skip
def test_other_data_sets_have_numbers_for_orientation(structure, other):
    sheet = beside_sheet([NamedEvaluation("r", evaluation(result("generated", (5.0,), structure=structure)))])
    assert sheet.cell("paper: of", structure).startswith(other)
    assert f"{other} stands there for orientation" in sheet.notes[0]


def test_unknown_networks_and_other_tasks_have_none():
    assert beside_sheet([NamedEvaluation("r", evaluation(result("generated", (5.0,), structure="own@own")))]).rows == ()
    assert published_accuracies("hypergrid") is None
    assert [paper.paper for paper in all_published()] == ["GenFlowNet"]


def test_the_page_holds_all_tables():
    document = paper_document([NamedEvaluation("r", evaluation())])
    text = document.markdown()
    assert "Beside the numbers of p-diff" in text and "p-diff, Table 3f" in text and "0.85–0.87" in text
    lines = list(csv.DictReader(io.StringIO(document.csv())))
    assert {f"p-diff-{name}" for name in TABLES} <= {line["table"] for line in lines}


@pytest.mark.parametrize("text", ["form: accuracy\npaper: x", ":", "[1"])
def test_a_file_of_another_form_is_one_line(text):
    with pytest.raises(ZoogenError, match=r"x\.yaml holds no published accuracies") as caught:
        parse_accuracies(text, "x.yaml")
    assert "\n" not in str(caught.value)
