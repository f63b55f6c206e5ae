"""Sweeps over classifiers: the columns of p-diff's tables instead of medians and ratios of errors."""

import csv
import io

import pytest
from tests.reports.hand_errors import STRUCTURE, evaluation, result

from zoogen.evaluation.machine import describe_environment
from zoogen.sweeps.report import columns_of, markdown, render_sweep, results_csv, sweep_figure
from zoogen.sweeps.result import SweepResult, TrialRecord, TrialTime, scores_of
from zoogen.sweeps.trial import _judgement


def _trial(name, found):
    return TrialRecord(
        name=name,
        digest=name,
        values={"K": name},
        state="finished",
        scores=scores_of(found),
        metrics=_judgement(found),
        time=TrialTime(begin=0.0, end=1.0),
    )


@pytest.fixture(scope="module")
def swept():
    perfect = evaluation(result("generated", (0.0, 2.0), (0.8, 0.9)), result("training", (1.0,), (0.95,)))
    trials = (_trial("K=10", evaluation()), _trial("K=300", perfect))
    return SweepResult(
        study="s", digest="d", source="s.yaml", stage="pipeline", keys=("K",), trials=trials,
        environment=describe_environment("cpu"),
    )  # fmt: skip


def test_columns_are_those_of_the_papers_tables(swept):
    assert [column.removeprefix(f"{STRUCTURE}/") for column in columns_of(swept)] == [
        "training/accuracy_best", "training/accuracy_mean", "generated/accuracy_best", "generated/accuracy_mean",
        "generated/similarity_least", "generated/similarity_mean", "generated/similarity_most",
    ]  # fmt: skip
    first, second = csv.DictReader(io.StringIO(results_csv(swept)))
    assert float(first[f"{STRUCTURE}/training/accuracy_best"]) == pytest.approx(82.0)
    assert float(second[f"{STRUCTURE}/generated/accuracy_mean"]) == pytest.approx(99.0)
    assert float(second[f"{STRUCTURE}/generated/similarity_most"]) == pytest.approx(0.9)


def test_the_page_names_originals_and_keeps_two_digits(swept):
    text = markdown(swept)
    assert f"{STRUCTURE} originals accuracy best" in text and "Accuracies in %" in text
    assert "| K=300 | 99.00 | 99.00 | 100.00 | 99.00 | .8 | .85 | .9 | finished |" in text


def test_the_figure_has_a_linear_axis(swept):
    (ax,) = sweep_figure(swept).axes
    assert ax.get_yscale() == "linear"
    heights = [float(y) for line in ax.lines if line.get_marker() == "o" for y in line.get_ydata()]
    assert heights == pytest.approx([0.2, 0.01])
    assert "figure.png" in render_sweep(swept)
