"""Figures of classifiers: drawn where there is something to draw, with the numbers of the evaluation."""

import math

import numpy as np
import pytest
from tests.reports import hand_made
from tests.reports.hand_errors import STRUCTURE, evaluation, result, trajectory

from zoogen.reports.comparison import render_comparison
from zoogen.reports.comparison_figure import comparison_figure
from zoogen.reports.denoising_figure import denoising_figure
from zoogen.reports.error_overlap_figure import similarity_figure, similarity_violins
from zoogen.reports.figures import metric_figure
from zoogen.reports.named_evaluations import NamedEvaluation, file_label, named
from zoogen.reports.write import render_report

JUDGED = NamedEvaluation("by hand", evaluation())


def test_every_network_has_a_mark_at_its_similarity_and_accuracy():
    (ax,) = similarity_figure(JUDGED).axes
    marks = [collection.get_offsets().data.tolist() for collection in ax.collections]
    assert [pytest.approx([0.88, 81.0]), pytest.approx([0.9, 79.0]), pytest.approx([0.92, 80.0])] in marks
    results = JUDGED.evaluation.results
    assert sum(map(len, marks)) == sum(r.count for r in results) + len(results)
    assert [[pytest.approx(0.9), pytest.approx(80.0)]] in marks  # the mean of the generated networks
    # Originals and generated networks are in full view; far worse ones are counted instead.
    low, high = ax.get_ylim()
    assert low < 79 and high > 82 and low > 75
    assert ax.get_xlabel() == "networks below: noise-0.1 2, pca-gaussian 2"


def test_ranking_errors_are_drawn_as_accuracies_with_the_far_worse_counted():
    (ax,) = metric_figure(JUDGED.evaluation).axes
    assert ax.get_ylabel() == "test accuracy, %" and ax.get_yscale() == "linear"
    drawn = [collection.get_offsets().data[:, 1].tolist() for collection in ax.collections[::2]]
    assert drawn[0] == pytest.approx([81.0, 79.0, 80.0])  # the generated networks
    assert ax.get_ylim()[0] > 75 and "noise-0.1 2" in ax.get_xlabel()
    (ax,) = comparison_figure([JUDGED]).axes
    assert ax.get_ylabel() == "test accuracy, %" and ax.get_ylim()[0] > 75


def test_violins_name_the_mean_accuracy():
    (ax,) = similarity_violins([JUDGED]).axes
    texts = [label.get_text() for label in ax.get_xticklabels()]
    assert texts[0] == "originals\n81.00 %" and "generated\n80.00 %" in texts
    (ax,) = similarity_violins([NamedEvaluation("K=10", evaluation()), NamedEvaluation("K=300", evaluation())]).axes
    texts = [label.get_text().split("\n")[0] for label in ax.get_xticklabels()]
    assert texts == ["K=10 originals", "K=10 generated", "K=300 originals", "K=300 generated"]


def test_equal_similarities_have_no_violin():
    same = evaluation(result("generated", (20.0, 21.0), (0.9, 0.9)), result("training", (20.0,), (1.0,)))
    assert similarity_violins([NamedEvaluation("r", same)]) is not None


def test_denoising_lines_are_accuracies():
    records = (trajectory(0, (99, 50, 20)), trajectory(1, (math.inf, 60, 21)))
    (ax,) = denoising_figure(evaluation(trajectories=records)).axes
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [1, 50, 80])
    np.testing.assert_allclose(ax.lines[1].get_ydata(), [np.nan, 40, 79])
    np.testing.assert_allclose(ax.lines[0].get_xdata(), [0, 10, 20])
    np.testing.assert_allclose(ax.lines[2].get_ydata(), [81, 81])  # the originals' median
    assert ax.get_ylabel() == "test accuracy, %"
    assert denoising_figure(evaluation()) is None


def test_other_metrics_are_followed_on_a_logarithmic_axis():
    record = trajectory(0, (300, 20, 2)).model_copy(update={"metric": "exact.js", "structure": hand_made.KNOWN})
    (ax,) = denoising_figure(hand_made.usual().model_copy(update={"trajectories": (record,)})).axes
    assert ax.get_yscale() == "log"
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [3, 0.2, 0.02])


def test_reports_hold_the_figures_that_there_is_something_for():
    files = render_report(evaluation(trajectories=(trajectory(0, (99, 20)),)))
    assert {"similarity.png", "similarities.png", "denoising.png", "metric.png"} <= set(files)
    assert "novelty.png" not in files
    bare = render_report(evaluation(result("generated", (0.0, 1.0))))
    assert {"similarity.png", "similarities.png", "denoising.png"}.isdisjoint(bare)
    page = render_comparison([NamedEvaluation("a", evaluation()), NamedEvaluation("b", evaluation())])
    assert b"similarities.png" in page["report.md"] and "similarities.png" in page
    assert "similarities.png" not in render_comparison(
        [NamedEvaluation("a", hand_made.usual()), NamedEvaluation("b", hand_made.usual())]
    )


def test_errors_of_zero_are_drawn():
    found = evaluation(result("generated", (0.0, 0.0)), result("held-out", (0.0, 1.0)))
    (ax,) = comparison_figure([NamedEvaluation("a", found)]).axes
    assert ax.get_yscale() == "linear" and not any(text.get_text() for text in ax.texts)


def test_names_of_structures_fit_titles_and_files():
    assert named(STRUCTURE, STRUCTURE) == STRUCTURE and named("CNN@Digits", "cnn@digits") == "CNN@Digits"
    assert named("C* 12^3", "36,12,3,6") == "C* 12^3 (36,12,3,6)"
    assert file_label("cnn-small@digits") == "cnn-small-digits"
