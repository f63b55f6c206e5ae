"""Figures of many structures: iterations of conventional training, and the plane of structures."""

import csv
import io
import math
import struct
from itertools import combinations, pairwise

import pytest
from tests.reports.hand_budgets import BUDGETS, WORTH, many_grids, quality
from tests.reports.hand_made import usual

from zoogen.evaluation.result import Evaluation
from zoogen.reports.iterations_figure import iterations_figure
from zoogen.reports.plane_figure import plane_figure
from zoogen.reports.table import comma_separated, comparison_lines, markdown, text_table
from zoogen.reports.write import render_report


def test_a_panel_shows_training_and_the_generated_level() -> None:
    figure = iterations_figure(many_grids(count=5, known=2))
    panels = [ax for ax in figure.axes if ax.axison]
    assert [ax.get_title() for ax in panels] == [
        *(f"{h}^2 (unseen), worth 4,000" for h in (4, 5, 6)),
        *(f"{h}^2 (known), worth 1,000" for h in (2, 3)),
    ]
    curve, level, untrained, worth = panels[0].lines
    assert list(curve.get_xdata()) == list(BUDGETS)
    assert list(curve.get_ydata()) == pytest.approx([quality(n) for n in BUDGETS])
    assert set(level.get_ydata()) == {quality(WORTH[False])} and set(untrained.get_ydata()) == {0.4}
    assert list(worth.get_xdata()) == pytest.approx([WORTH[False]] * 2)
    assert list(panels[-1].lines[0].get_xdata()) == [*BUDGETS, 20_000]


def test_of_many_structures_twelve_are_drawn_unseen_ones_first() -> None:
    titles = [ax.get_title() for ax in iterations_figure(many_grids()).axes]
    assert len(titles) == 12 and all("unseen" in title for title in titles)


def test_labels_of_iterations_do_not_run_into_each_other() -> None:
    """By the boxes that they take when drawn, for trainings that end close to a budget."""
    found = many_grids(count=4, known=2)
    ends = {20_000: 2_244, 2_000: 1_950}
    results = [r.model_copy(update={"iterations": ends.get(r.iterations or 0, r.iterations)}) for r in found.results]
    figure = iterations_figure(found.model_copy(update={"results": tuple(results)}))
    figure.canvas.draw()
    for ax in figure.axes:
        boxes = [label.get_window_extent() for label in ax.get_xticklabels() if label.get_text()]
        assert len(boxes) >= 2
        assert not any(a.overlaps(b) for a, b in pairwise(sorted(boxes, key=lambda box: box.x0)))


def test_numbers_of_the_plane_do_not_run_into_each_other() -> None:
    found = many_grids()
    names = list(found.axes)
    row = {name: {"h": float(8 + k), "n": 9.0} for k, name in enumerate(names[:5])}
    figure = plane_figure(found.model_copy(update={"axes": {**found.axes, **row}}))
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts if text.xy[1] == 9]
    assert len(boxes) == 5
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


def test_nothing_is_drawn_of_what_was_not_measured() -> None:
    assert iterations_figure(usual()) is None and plane_figure(usual()) is None
    failed = many_grids(2, 1)
    results = [r.model_copy(update={"metrics": {"exact.js": (math.inf,)}}) for r in failed.results]
    failed = failed.model_copy(update={"results": tuple(results)})
    assert iterations_figure(failed) is None and plane_figure(failed) is None
    line = many_grids().model_copy(update={"axes": {"2,2": {"h": 2.0}}})
    assert plane_figure(line) is None


def test_the_plane_marks_what_was_taught() -> None:
    found = many_grids()
    ax = plane_figure(found).axes[0]
    unseen, known, unjudged = ax.collections
    places = {(axes["h"], axes["n"]) for axes in found.axes.values()}
    assert {tuple(at) for part in (known, unseen) for at in part.get_offsets().tolist()} == places
    assert (len(known.get_offsets()), len(unseen.get_offsets())) == (28, 12)
    assert set(known.get_array()) == {quality(WORTH[True])} and set(unseen.get_array()) == {quality(WORTH[False])}
    assert known.get_edgecolors().tolist() == [[0, 0, 0, 1]] and not len(unjudged.get_offsets())
    wider = found.model_copy(update={"axes": {**found.axes, "30,2": {"h": 30.0, "n": 2.0}}})
    assert plane_figure(wider).axes[0].collections[-1].get_offsets().tolist() == [[30, 2]]


def test_every_method_is_told_in_iterations() -> None:
    found = many_grids(count=3, known=2)
    table = text_table(found)
    column = table.titles.index("worth iterations")
    worth = {(row[0].text, row[2].text): row[column].text for row in table.rows}
    assert worth["2^2 (2,2)", "generated"] == "1,000" and worth["4^2 (4,2)", "generated"] == "4,000"
    assert worth["2^2 (2,2)", "untrained"] == "< 500" and worth["2^2 (2,2)", "conventional-2000"] == "2,000"
    assert worth["2^2 (2,2)", "held-out"] == "20,000"
    cells = next(csv.DictReader(io.StringIO(comma_separated(found))))
    assert cells["equivalent_bound"] == "" and float(cells["equivalent_iterations"]) == pytest.approx(1_000)
    assert "Worth iterations: how many" in markdown(found)
    line = "generated networks are worth so many iterations of conventional training: 2^2 1,000, 3^2 1,000, 4^2 4,000"
    assert line in comparison_lines(found)
    assert "worth" not in markdown(usual()) and "equivalent" not in comma_separated(usual())


def test_the_report_has_the_figures() -> None:
    files = render_report(many_grids())
    for name in ("iterations.png", "plane.png"):
        width, height = struct.unpack(">II", files[name][16:24])
        assert min(width, height) > 600
    assert Evaluation.from_json(files["evaluation.json"]) == many_grids()
    assert b"worth iterations" in files["report.html"]
