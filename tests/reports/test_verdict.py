"""Verdicts and costs from numbers that are worked out by hand."""

import math

import pytest
from tests.reports.hand_made import BETWEEN, KNOWN, UNSEEN, evaluation, result, usual

from zoogen.evaluation.result import Selection
from zoogen.reports.audit import BETWEEN as BETWEEN_ROW
from zoogen.reports.audit import audit_sheets, verdicts
from zoogen.reports.cost import break_even, cost_sheet
from zoogen.reports.named_evaluations import NamedEvaluation
from zoogen.reports.verdict import GOOD, MEMORISED, SAME, verdict


def said(*results, structure: str = KNOWN):
    return verdict(NamedEvaluation("r", evaluation(*results)), structure)


HELD_OUT = result("held-out", (0.01, 0.01), matched=BETWEEN)


@pytest.mark.parametrize(("share", "memorised"), [(0.9, True), (1.1, False)])
def test_memorised_is_near_on_the_scale_between_runs(share: float, memorised: bool) -> None:
    found = said(result("generated", (0.01,), matched=share * MEMORISED * BETWEEN), HELD_OUT)
    assert found.kind == ("memorised" if memorised else "new and good")
    assert "matched distance" in found.reason


def test_held_out_runs_give_the_scale_where_there_is_a_single_training_run() -> None:
    bare = result("generated", (0.01,), matched=0.01).model_copy(update={"floors": {}})
    held_out = result("held-out", (0.01,), matched=0.1).model_copy(update={"floors": {}})
    assert said(bare, held_out).kind == "memorised"
    assert "matched distance to the nearest checkpoint .01, .1 × the .1 of held-out runs" in said(bare, held_out).reason
    assert "between training runs" not in said(bare, held_out).reason
    assert said(bare, result("held-out", (0.01,), matched=0.04)).kind == "new and good"
    (sheet,) = audit_sheets([NamedEvaluation("r", evaluation(bare, held_out))])
    assert any("with a single training run, of that of held-out runs" in note for note in sheet.notes)
    several = said(result("generated", (0.01,), matched=0.1), held_out)
    assert f"{BETWEEN:g}".lstrip("0") + " between training runs" in several.reason


def test_a_baseline_as_good_and_as_new_is_named() -> None:
    generated = result("generated", (0.01,), matched=0.1)
    as_new = result("gaussian", (0.0104,), matched=0.1)
    nearer = result("noise-0.01", (0.001,), matched=0.05)
    worse = result("average-2", (SAME * 0.0101,), matched=0.15)
    found = said(generated, HELD_OUT, as_new, nearer, worse)
    assert (found.kind, found.rivals) == ("no better than a baseline", ("gaussian",))
    assert "gaussian .0104" in found.line and found.line.startswith("B 6^6: ")
    assert said(generated, HELD_OUT, nearer, worse).kind == "new and good"


def test_trained_networks_are_no_rivals() -> None:
    methods = ("training", "held-out-last", "reconstructed")
    rivals = [result(method, (0.0001,), matched=1.0) for method in methods]
    assert said(result("generated", (0.01,), matched=0.1), HELD_OUT, *rivals).rivals == ()


def test_further_models_are_no_baselines() -> None:
    """They are learnt as the study's own; what is no model of the study is a rival."""
    generated, other = (result(method, (0.01,), matched=0.1) for method in ("generated", "exact"))
    beside = evaluation(generated, HELD_OUT, other, inputs={"others": {"exact": "0123"}})
    assert verdict(NamedEvaluation("r", beside), KNOWN).kind == "new and good"
    assert said(generated, HELD_OUT, other).rivals == ("exact",)


def test_new_networks_may_be_worse_than_trained_ones() -> None:
    generated = result("generated", (0.0101 * GOOD,), matched=0.1)
    assert said(generated, HELD_OUT).kind == "new, but worse than trained"
    assert said(result("generated", (0.01 * GOOD,), matched=0.1), HELD_OUT).kind == "new and good"


def test_unseen_structures_are_judged_by_quality_alone() -> None:
    def of(*qualities: float):
        pairs = zip(("generated", "reference", "nearest"), qualities, strict=False)
        return said(*(result(m, (q,), structure=UNSEEN) for m, q in pairs), structure=UNSEEN)

    assert of(0.01, 0.009, 0.2).kind == "as good as trained"
    assert of(0.1, 0.009, 0.2).kind == "worse than trained"
    assert of(0.1, 0.009, 0.1).kind == "no better than a baseline"
    untrained = result("untrained", (0.2,), structure=UNSEEN)
    generated = result("generated", (0.1,), structure=UNSEEN)
    assert said(generated, untrained, structure=UNSEEN).kind == "better than the baselines"
    assert of(0.1).kind == "not compared", "nothing was judged beside it"
    assert said(HELD_OUT) is None


def test_failed_networks_are_the_worst() -> None:
    failed = result("generated", (math.inf, math.inf), matched=0.1)
    assert said(failed, result("random", (0.5,), matched=0.3)).kind == "no better than a baseline"
    assert said(failed, HELD_OUT).kind == "new, but worse than trained"


def test_audit_table_holds_quality_novelty_and_the_scale() -> None:
    known, unseen = audit_sheets([NamedEvaluation("r", usual())])
    assert [known.cell(c, "generated") for c in ("N", "exact JS", "best", "chosen", "matched")] == [
        3, 0.02, 0.01, 0.03, 0.16,
    ]  # fmt: skip
    assert known.cell("matched", BETWEEN_ROW) == BETWEEN and known.cell("N", BETWEEN_ROW) is None
    assert known.cell("s to make one", "average-2") == pytest.approx(0.001)
    assert known.cell("s to make one", "held-out") == 4.2
    assert "nearest" not in known.columns, "columns without numbers are left out"
    assert [row.keys[2] for row in unseen.rows] == ["generated", "reference"]
    assert [v.kind for _, v in verdicts([NamedEvaluation("r", usual())])] == ["new and good", "worse than trained"]


def test_break_even_counts_every_stage() -> None:
    found = break_even(NamedEvaluation("r", usual()), KNOWN)
    assert (found.training, found.generating) == (4.2, pytest.approx(0.1))
    assert (found.networks, found.networks_after_zoo) == (35, 15)  # 140 / 4.1 and 60 / 4.1, rounded up
    assert cost_sheet([NamedEvaluation("r", usual())]).cell("pays after", "C* 12^3") == 67  # 140 / (2.2 - .1)
    slow = evaluation(result("generated", (1.0,), generating=9.0), result("held-out", (1.0,), training=4.0))
    assert break_even(NamedEvaluation("r", slow), KNOWN).networks == math.inf
    assert break_even(NamedEvaluation("r", evaluation(result("generated", (1.0,), generating=9.0))), KNOWN) is None


def test_matching_runs_is_a_part_of_the_learning() -> None:
    told = usual()
    aligned = NamedEvaluation("r", told.model_copy(update={"cost": {**told.cost, "alignment": 41.0}}))
    found = break_even(aligned, KNOWN)
    assert (found.networks, found.networks_after_zoo) == (45, 25)  # 181 / 4.1 and 101 / 4.1, rounded up
    assert any("alignment 41.0" in note for note in cost_sheet([aligned]).notes)


def test_break_even_without_an_autoencoder() -> None:
    whole = usual()
    bare = whole.model_copy(update={"cost": {k: v for k, v in whole.cost.items() if k != "autoencoder"}})
    found = break_even(NamedEvaluation("r", bare), KNOWN)
    assert found.networks_after_zoo == math.ceil(20 / (found.training - found.generating))
    assert found.networks == math.ceil(100 / (found.training - found.generating))


def test_break_even_says_where_it_cannot_leave_held_out_runs_out() -> None:
    told = NamedEvaluation("told", usual())
    cost = {stage: seconds for stage, seconds in told.evaluation.cost.items() if stage != "zoo_training"}
    silent = NamedEvaluation("silent", told.evaluation.model_copy(update={"cost": cost}))
    assert break_even(silent, KNOWN).networks == 40  # 160 / 4.1: the zoo's held-out runs cannot be told apart
    assert break_even(silent, KNOWN).networks_after_zoo == break_even(told, KNOWN).networks_after_zoo
    (note,) = [note for note in cost_sheet([told, silent]).notes if "Held-out runs are counted" in note]
    assert note.endswith(": silent.")
    notes = cost_sheet([told]).notes
    assert not any("Held-out" in note or "one after the other" in note for note in notes)
    assert "wall times of its cohorts" in notes[0]


def test_nothing_is_called_chosen_where_the_ranking_metric_chose() -> None:
    best = result("generated", (0.02, 0.01, 0.03), matched=0.1)
    chosen = Selection(index=1, by="exact.js", chosen=0.01, value=0.01)
    (sheet,) = audit_sheets([NamedEvaluation("r", evaluation(best.model_copy(update={"selection": chosen}), HELD_OUT))])
    assert sheet.cell("best", "generated") == 0.01
    assert sheet.cell("chosen", "generated") is None, "the smallest reading is no unbiased one"
