"""Accuracies, similarity at equal accuracy and verdicts for networks that rank by an error, worked out by hand."""

import csv
import io
import math

import numpy as np
import pytest
from tests.evaluation.error_task import IMAGES, ErrorTask, HalvingNoise
from tests.fakes import MemoryZoo
from tests.reports import hand_made
from tests.reports.hand_errors import STRUCTURE, evaluation, result, usual

from zoogen.evaluation.config import AuditConfig, EvaluationConfig
from zoogen.evaluation.evaluate import evaluate
from zoogen.reports.accuracy import accuracies, error_results, method_title, ranks_by_error
from zoogen.reports.accuracy_table import accuracy_sheet
from zoogen.reports.documents import accuracy_document
from zoogen.reports.named_evaluations import NamedEvaluation
from zoogen.reports.pareto import least_similar, pareto, pareto_sheet
from zoogen.reports.table import summary_lines
from zoogen.reports.verdict import verdict
from zoogen.reports.write import render_report
from zoogen.zoo.plan import ZooConfig

JUDGED = NamedEvaluation("by hand", evaluation())


def test_originals_come_first_then_ensemble_then_generated():
    assert [r.method for r in error_results(JUDGED.evaluation, STRUCTURE)] == [
        "training", "held-out", "ensemble", "generated", "noise-0.1", "noise-0.01", "average-2", "gaussian",
        "pca-gaussian",
    ]  # fmt: skip


def test_accuracies_by_hand():
    found = accuracies(result("generated", (10.0, math.inf, 40.0), (0.5, 0.75), chosen=2))
    assert (found.best, found.median, found.chosen) == pytest.approx((90.0, 60.0, 60.0))
    assert found.mean == pytest.approx((90 + 0 + 60) / 3)
    assert found.similarity == pytest.approx((0.5, 0.625, 0.75))
    assert accuracies(result("generated", (10.0,))).similarity is None


def test_the_table_holds_every_method_and_says_how_fine_it_is():
    sheet = accuracy_sheet([JUDGED])
    assert sheet.cell("mean", "generated") == pytest.approx(80.0)
    assert sheet.cell("chosen", "generated") == pytest.approx(79.0)
    assert sheet.cell("similarity, most", "generated") == pytest.approx(0.92)
    assert sheet.cell("distance", "generated") == 0.5
    assert sheet.cell("s to make one", "generated") == pytest.approx(1 / 3)
    # One network has neither a best nor a chosen one; p-diff's originals have their name.
    assert sheet.cell("N", "ensemble") == 1 and sheet.cell("best", "ensemble") is None
    assert sheet.cell("mean", "originals") == pytest.approx(81.0)
    text = accuracy_document([JUDGED]).markdown()
    # the standard error of a share p of n images is sqrt(p (1 - p) / n)
    error = 100 * math.sqrt(0.81 * 0.19 / 1000)
    assert (
        "1000 test images: one image is 0.1 points" in text
        and "| 0.900 |" in text
        and f"81.0 % by {error:.2g} points" in text
    )
    assert "the smallest validation error" in text and "up to 48 originals" in text
    assert "so too high, the more so the larger N is" in text


def test_other_tasks_have_no_accuracies():
    other = hand_made.usual()
    assert not ranks_by_error(other) and accuracy_document([NamedEvaluation("r", other)]) is None
    assert {"accuracy.md", "accuracy.csv"} <= set(render_report(JUDGED.evaluation))
    assert "accuracy.md" not in render_report(other)


@pytest.mark.parametrize(
    ("points", "accuracy", "slack", "expected"),
    [
        ([(90, 1.0), (80, 0.5)], 85, 0, 0.75),  # half way down
        ([(90, 1.0), (80, 0.5)], 91, 0, None),
        ([(90, 1.0), (80, 0.5)], 70, 0, 0.5),  # better everywhere: the last point is the least similar
        ([(80, 1.0), (90, 0.6), (70, 0.2)], 85, 0, 0.5),  # up, then down through 85 at a quarter of the way
        ([(80, 0.9)], 80.05, 0.1, 0.9),
        ([(80, 0.9)], 80.05, 0.01, None),
    ],
)
def test_the_least_similarity_where_a_curve_is_accurate_enough(points, accuracy, slack, expected):
    found = least_similar(points, accuracy, slack)
    assert found == (None if expected is None else pytest.approx(expected))


def test_a_curve_agrees_with_a_fine_grid():
    random = np.random.default_rng(0)
    points = list(zip(random.uniform(50, 100, 7), random.uniform(0, 1, 7), strict=True))
    at = np.linspace(0, 6, 60_001)
    curve = [np.interp(at, range(7), column) for column in zip(*points, strict=True)]
    for wanted in (60, 75, 85):
        assert least_similar(points, wanted) == pytest.approx(curve[1][curve[0] >= wanted].min(), abs=1e-3)


def test_references_and_distances_of_originals_are_told():
    floors = {"test": {"guessing": {"error": 0.99, "loss": 4.6}}}
    trained = result("training", (18.0,), (0.9,), matched=0.25)
    trained = trained.model_copy(update={"floors": floors})
    judged = NamedEvaluation("r", evaluation(*(r for r in usual() if r.method != "training"), trained))
    assert "for reference, guessing 1.00 %" in accuracy_document([judged]).markdown()
    assert "(originals: 0.25 to the nearest other one)" in verdict(judged, STRUCTURE).reason
    assert "nearest other one" not in verdict(JUDGED, STRUCTURE).reason


def test_rivals_at_equal_accuracy():
    found = pareto(JUDGED, STRUCTURE)
    assert {rival.name: rival.most_accurate for rival in found.rivals}["noise"] == pytest.approx(81.0)
    assert found.generated == pytest.approx((80.0, 0.9))
    rivals = {rival.name: rival.at_equal_accuracy for rival in found.rivals}
    # Noise goes from (81, 1) over (81, .98) to (70, .6) and is 80 % accurate an eleventh of the way down.
    assert rivals["noise"] == pytest.approx(0.98 - 0.38 / 11)
    assert rivals["average"] == pytest.approx(0.96) and rivals["ensemble"] == pytest.approx(0.96)
    assert rivals["gaussian"] == pytest.approx(0.94)  # half an image below
    assert rivals["pca-gaussian"] is None
    assert "are less similar to the originals than every baseline that reaches them, by 0.040 or more" in found.line
    assert "80.00 % within 0.10): generated 0.900, gaussian 0.940, noise 0.945, " in found.line
    assert "not so accurate: pca-gaussian" in found.line
    sheet = pareto_sheet([JUDGED])
    assert sheet.cell("generated is less similar by", "gaussian") == pytest.approx(0.04)
    assert sheet.cell("similarity there", "pca-gaussian") is None


@pytest.mark.parametrize(
    ("similar", "said"),
    [(0.94, "no less similar to the originals than the best baseline"),
     (0.99, "4 baselines are less similar to the originals than the generated networks, by up to 0.050")],
)  # fmt: skip
def test_a_lost_comparison_is_said(similar, said):
    others = [r for r in usual() if r.method != "generated"]
    judged = NamedEvaluation("r", evaluation(result("generated", (20.0,) * 3, (similar,) * 3), *others))
    assert said in pareto(judged, STRUCTURE).line


def test_nothing_reaches_an_accuracy_that_no_baseline_has():
    others = [r for r in usual() if r.method != "generated"]
    judged = NamedEvaluation("r", evaluation(result("generated", (1.0,), (0.9,)), *others))
    assert "no baseline reaches the accuracy of the generated networks" in pareto(judged, STRUCTURE).line
    assert pareto(NamedEvaluation("r", evaluation(*others)), STRUCTURE) is None


def said(*results):
    return verdict(NamedEvaluation("r", evaluation(*results)), STRUCTURE)


def test_verdicts_count_points_of_accuracy():
    perfect = result("held-out", (0.0,), (0.9,), matched=0.9)
    near_perfect = said(result("generated", (0.5,), (0.9,), matched=0.9), perfect)
    assert near_perfect.kind == "new and good"  # infinitely many times the error, and half a point of accuracy
    assert "99.50 % is 0.50 points below that of held-out runs" in near_perfect.reason
    assert said(result("generated", (2.5,), (0.9,), matched=0.9), perfect).kind == "new, but worse than trained"
    assert said(result("generated", (0.0,), (0.9,), matched=0.1), perfect).kind == "memorised"
    assert "is that of held-out runs" in said(result("generated", (0.0,), (0.9,), matched=0.9), perfect).reason


def test_a_rival_is_as_accurate_and_no_more_similar():
    generated = result("generated", (20.0,), (0.9,), matched=0.8)
    held_out = result("held-out", (20.0,), (0.9,), matched=0.9)
    found = said(generated, held_out, result("gaussian", (20.1,), (0.9,)), result("noise-0.1", (20.2,), (0.5,)))
    assert found.kind == "no better than a baseline" and found.rivals == ("gaussian",)
    assert "against gaussian 79.90 %" in found.reason
    assert said(generated, held_out, result("average-2", (15.0,), (0.95,), matched=5.0)).kind == "new and good"


def test_similarity_of_originals_stands_beside_that_of_generated_networks():
    reason = verdict(JUDGED, STRUCTURE).reason
    assert "mean similarity to the originals 0.9 (held-out runs 0.9, originals to each other 0.98)" in reason


def test_failed_networks_count_where_a_median_would_not_see_them():
    held_out = result("held-out", (20.0,), (0.5,), matched=0.9)
    found = said(result("generated", (20.0, 20.0, 90.0), (0.5,) * 3, matched=0.9), held_out)
    assert found.kind == "new, but worse than trained"
    assert "mean test accuracy 56.67 % is 23.33 points below" in found.reason


@pytest.mark.parametrize(("similar", "kind"), [(0.92, "memorised"), (0.88, "new and good")])
def test_networks_that_answer_like_the_originals_are_memorised_whatever_their_weights(similar, kind):
    # Held-out runs are .5 away from the originals in behaviour; a fifth of that is .1.
    held_out = result("held-out", (20.0,), (0.5,), matched=0.9)
    found = said(result("generated", (20.0,), (similar,), matched=0.9), held_out)
    assert found.kind == kind
    assert ("distance in behaviour to the nearest checkpoint 0.08, 0.16 × the 0.5" in found.reason) == (similar > 0.9)


def of_one_run(method, similar, distance, figures=None):
    made = result(method, (20.0,), (similar,))
    metrics = {**made.metrics, "novelty.nearest_train": (distance,)}
    return made.model_copy(update={"metrics": metrics, "figures": figures or {}})


def test_a_single_trajectory_has_the_scale_of_held_out_runs_or_of_its_own_checkpoints():
    originals = of_one_run("training", 0.9, 0.01, {"diversity.weights": 0.4})
    generated = of_one_run("generated", 0.5, 0.1)
    found = said(generated, originals, of_one_run("held-out", 0.5, 0.2))
    assert found.kind == "new and good"
    told = "0.1, 0.5 × the 0.2 of held-out runs (originals: 0.01 to the nearest other one, 0.4 between any two)"
    assert told in found.reason
    alone = said(generated, originals)
    assert "0.1, 0.25 × the 0.4 between two originals (originals: 0.01 to the nearest other one)" in alone.reason
    assert said(of_one_run("generated", 0.5, 0.07), originals).kind == "memorised"


@pytest.fixture(scope="module")
def judged():
    task = ErrorTask(checkpoints=4)
    zoo = MemoryZoo(task, ZooConfig(structures=("3",), runs=6, validation_runs=0, test_runs=2))
    methods = ("generated", "held-out", "training", "average", "noise", "gaussian", "ensemble")
    config = EvaluationConfig(count=8, methods=methods, audit=AuditConfig(originals=True, behaviour_sample=50))
    return task, evaluate(task, zoo, HalvingNoise(task), config)


def test_a_judged_evaluation_has_the_mean_accuracy_of_every_method(judged):
    task, found = judged
    sheet = accuracy_sheet([NamedEvaluation("r", found)])
    assert any(f"{IMAGES} test images" in note for note in sheet.notes)
    assert any(line.startswith("at equal accuracy:") for line in summary_lines(found))
    assert not any("ratio of medians" in line for line in summary_lines(found))
    lines = list(csv.DictReader(io.StringIO(accuracy_document([NamedEvaluation("r", found)]).csv())))
    for judged_method in found.results:
        errors = np.array(judged_method.metrics["test.error"])
        (mean,) = [
            float(line["value"])
            for line in lines
            if (line["table"], line["method"], line["column"])
            == ("accuracy", method_title(judged_method.method), "mean")
        ]
        assert mean == pytest.approx(100 * (1 - errors.mean()))
