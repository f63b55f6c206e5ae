"""Tables beside the paper's: each cell worked out from hand-made results."""

import csv
import io
import math
import re

import numpy as np
import pytest
from tests.reports.hand_made import KNOWN, UNSEEN, evaluation, result, usual, weight_maps

from zoogen.reports.comparison import MARKDOWN, folders_of, render_comparison
from zoogen.reports.comparison_figure import comparison_figure
from zoogen.reports.documents import audit_document, paper_document
from zoogen.reports.named_evaluations import NamedEvaluation, file_label
from zoogen.reports.novelty_figure import novelty_figure
from zoogen.reports.paper import ablation_sheet, metric_sheet, paper_sheets, seconds_sheet
from zoogen.reports.sheets import Sheet, SheetRow, tidy_csv
from zoogen.reports.uncertainty import uncertainty_sheet, variance_sheet
from zoogen.reports.weight_maps import weight_map_figure
from zoogen.reports.write import render_report

JUDGED = NamedEvaluation("hand-made", usual())


def test_sampled_metric_stands_between_its_floors_and_the_paper() -> None:
    sheet = metric_sheet([JUDGED], "sampled.js")
    row = dict(zip(sheet.columns, next(r.cells for r in sheet.rows if "B 6^6" in r.keys), strict=True))
    assert row == {
        "generated": pytest.approx(0.601), "trained": pytest.approx(0.6005), "untrained": 0.65,
        "perfect sampler": 0.5, "paper: GenFlowNet": 0.685, "paper: Baseline": 0.685,
    }  # fmt: skip
    assert sheet.cell("paper: Baseline", "C* 12^3") == 0.482
    assert sheet.notes == ("1000 samples per network; the perfect sampler draws as many from the truth.",)


def test_exact_metric_and_seconds() -> None:
    (exact,) = [sheet for sheet in paper_sheets([JUDGED]) if sheet.name == "exact.js"]
    assert exact.columns == ("generated", "trained")
    assert exact.cell("generated", "B 6^6") == 0.02 and exact.cell("trained", "C* 12^3") == 0.001
    seconds = seconds_sheet([JUDGED])
    assert seconds.cell("generated", "B 6^6") == pytest.approx(0.1) and seconds.cell("trained", "B 6^6") == 4.2
    assert seconds.cell("paper: GenFlowNet", "C* 12^3") == 34 and seconds.cell("paper: Baseline", "C* 12^3") == 471


def test_untrained_networks_that_were_judged_come_before_the_floor() -> None:
    judged = NamedEvaluation("r", evaluation(result("generated", (0.1,)), result("untrained", (0.5,), sampled=0.7)))
    assert metric_sheet([judged], "sampled.js").cell("untrained", "B 6^6") == 0.7


def test_best_average_median_and_the_chosen_network() -> None:
    sheet = uncertainty_sheet([JUDGED])
    exact = [sheet.cell(c, "B 6^6", "exact JS") for c in ("best", "average", "median", "chosen", "trained, median")]
    assert exact == [0.01, pytest.approx(0.02), 0.02, 0.03, pytest.approx(0.013)]
    for metric in ("sampled JS", "sampled KL", "sampled L1"):
        assert sheet.cell("chosen", "B 6^6", metric) is None, "the same samples chose it"
    assert [sheet.cell(f"paper: {c}", "B 6^6", "sampled JS") for c in ("best", "average", "median")] == [
        0.685, 0.685, 0.686,
    ]  # fmt: skip
    assert sheet.cell("chosen", "C* 12^3", "exact JS") is None
    assert "Chosen by sampled JS; empty where the row's metric reads the same data." in sheet.notes


def test_variance_beside_the_paper() -> None:
    known = variance_sheet([JUDGED])
    assert [known.cell(c, "dense1.weight") for c in known.columns] == [0.25, 0.5, 0.125, 0.375]
    tensors = {"dense3.bias": (0.75, 0.0)}
    unseen = NamedEvaluation("r", evaluation(result("generated", (0.1,) * 90, structure=UNSEEN, tensors=tensors)))
    sheet = variance_sheet([unseen])
    assert sheet.cell("generated", "dense3.bias") == 0.75
    assert (sheet.cell("paper: GenFlowNet", "dense3.bias"), sheet.cell("paper: Baseline", "dense3.bias")) == (
        0.001,
        0.013,
    )
    assert "100 models" in sheet.notes[0]


def test_runs_that_vary_n_stand_beside_the_papers_ablation() -> None:
    evaluations = [NamedEvaluation(f"n{n}", usual(inputs={"structures": n})) for n in (2, 4)]
    sheet = ablation_sheet(evaluations, "structures")
    assert sheet.cell("paper: GenFlowNet, sampled JS", "C* 12^3", "4") == 0.453
    assert sheet.cell("paper: GenFlowNet, sampled JS", "B 6^6", "2") == 0.685
    assert sheet.cell("exact JS", "B 6^6", "n4") == 0.02
    assert any("Table 11, C*" in note for note in sheet.notes)
    assert not ablation_sheet(evaluations[:1], "structures").rows and not ablation_sheet(evaluations, "models").rows


def test_one_factor_varies_beside_the_papers_ablation() -> None:
    pairs = [(2, 200), (4, 200), (3, 50), (3, 200), (3, 300)]
    evaluations = [NamedEvaluation(f"{n}x{m}", usual(inputs={"structures": n, "models": m})) for n, m in pairs]
    evaluations.append(NamedEvaluation("unknown", usual()))

    def levels(factor: str) -> list[tuple[str, ...]]:
        return [row.keys[1:] for row in ablation_sheet(evaluations, factor).rows if row.keys[0] == "B 6^6"]

    assert levels("structures") == [("2x200", "2"), ("4x200", "4"), ("3x200", "3")]
    assert levels("models") == [("3x50", "50"), ("3x200", "200"), ("3x300", "300")]
    assert "M, models of each structure: 200 in all rows." in ablation_sheet(evaluations, "structures").notes
    assert "N, structures in the training set: 3 in all rows." in ablation_sheet(evaluations, "models").notes


def test_markdown_prints_the_papers_digits_and_hides_a_single_run() -> None:
    text = paper_document([JUDGED]).markdown()
    assert "| structure | generated |" in text and "| structure | evaluation |" not in text
    assert ".685" in text and "- GenFlowNet, H*" not in text
    both = paper_document([JUDGED, NamedEvaluation("other", usual())])
    assert "| structure | evaluation | generated |" in both.markdown()
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 5 and all(len({line.count("|") for line in t.splitlines()}) == 1 for t in tables)
    other_task = paper_document([NamedEvaluation("r", usual(kind="unheard-of"))]).markdown()
    assert "No paper's numbers" in other_task and "paper:" not in other_task


def test_csv_holds_every_cell_in_full() -> None:
    lines = list(csv.DictReader(io.StringIO(audit_document([JUDGED]).csv())))
    cell = next(x for x in lines if (x["method"], x["column"], x["structure"]) == ("generated", "chosen", "B 6^6"))
    assert float(cell["value"]) == 0.03 and cell["table"] == "audit-known" and cell["evaluation"] == "hand-made"
    sheet = Sheet("s", "S", ("k",), ("a", "b"), (SheetRow(("x|y",), (1 / 3, None)), SheetRow(("z",), (None, None))))
    assert tidy_csv([sheet]).splitlines() == ["table,k,column,value", f"s,x|y,a,{1 / 3}"]
    assert sheet.trimmed().markdown()[2:5] == ["| k | a |", "|-|-:|", "| x\\|y | .3333 |"]


def test_weight_maps_share_a_symmetric_scale_per_tensor() -> None:
    mapped = usual().model_copy(update={"weight_maps": weight_maps(4, ("dense1.weight", "dense2.weight"))})
    figure = weight_map_figure(mapped, KNOWN)
    images = [ax.images[0] for ax in figure.axes if ax.images]
    assert len(images) == 10
    assert {image.get_clim() for image in images} == {(-3.2, 3.2)}  # the largest value is -.2 - 3
    titles = [ax.get_title() for ax in figure.axes if ax.get_title()]
    assert titles == ["generated 0", "generated 1", "generated 2", "generated 3", "held-out 0"]
    assert weight_map_figure(mapped, UNSEEN) is None
    assert "weights-B.png" in render_report(mapped)
    assert file_label("C* 12^3") == "Cstar" and file_label("10^4") == "10-4"


def test_novelty_figure_has_a_panel_per_known_structure() -> None:
    figure = novelty_figure(usual())
    (ax,) = figure.axes
    assert ax.get_title() == "B 6^6 (36,6,6,6)" and ax.get_xscale() == ax.get_yscale() == "log"
    points = np.concatenate([c.get_offsets() for c in ax.collections])
    assert len(points) == 3 + 2 + 3 and set(points[:, 0].round(6)) == {0.16, 0.19, 0.1}
    assert ax.lines[0].get_xdata()[0] == 0.2
    assert novelty_figure(evaluation(result("generated", (0.1,)))) is None


def test_novelty_is_shown_by_what_each_structure_has() -> None:
    behaviour = result("generated", (0.1, 0.2), matched=0.3)
    behaviour = behaviour.model_copy(
        update={"metrics": {**behaviour.metrics, "novelty.behaviour_train": (0.7, 0.8)}, "floors": {}}
    )
    without = result("generated", (0.1,), matched=0.4, structure=UNSEEN)
    figure = novelty_figure(evaluation(behaviour, without))
    assert [ax.get_title() for ax in figure.axes] == ["B 6^6 (36,6,6,6)", "C* 12^3 (36,12,3,6)"]
    assert [sorted(ax.collections[0].get_offsets()[:, 0]) for ax in figure.axes] == [[0.7, 0.8], [0.4]]
    assert ["behaviour" in ax.get_xlabel() for ax in figure.axes] == [True, False]
    single = novelty_figure(evaluation(behaviour))
    assert single.get_supxlabel().startswith("distance in behaviour")
    assert [text.get_text() for text in single.legends[0].get_texts()] == ["generated"], "there is no scale to name"
    assert len(novelty_figure(evaluation(behaviour, without)).legends[0].get_texts()) == 2


def test_networks_without_a_mark_are_counted() -> None:
    results = (
        result("generated", (0.1, math.inf, 0.2, math.nan)),
        result("held-out", (0.1, 0.0)),
        result("generated", (math.inf,) * 2, structure=UNSEEN),
    )
    figure = comparison_figure([NamedEvaluation("r", evaluation(*results))])
    said = [[text.get_text() for text in ax.texts if text.get_text()] for ax in figure.axes]
    assert said == [["2 of 4 failed", "1 of 2 at 0"], ["2 of 2 failed"]]
    assert [len(ax.patches) for ax in figure.axes] == [2, 0]
    whole = comparison_figure([NamedEvaluation("r", usual())])
    assert not [text for ax in whole.axes for text in ax.texts if text.get_text()]


def test_comparison_has_a_box_per_run_structure_and_side() -> None:
    figure = comparison_figure([JUDGED, NamedEvaluation("other", usual())])
    assert [ax.get_title() for ax in figure.axes] == ["known structures", "unseen structures"]
    assert [len(ax.patches) for ax in figure.axes] == [4, 4]  # generated and trained of two runs
    assert comparison_figure([NamedEvaluation("r", evaluation(result("generated", (0.0,))))]) is None


def test_folders_of_runs_are_safe_and_unique() -> None:
    names = ["N=4", "n=4", "x/h", "x h", "..", "", "../../x", "report.md", "report.html", "é" * 3, "v" * 300]
    folders = folders_of(names)
    assert len({folder.lower() for folder in folders} | {MARKDOWN}) == len(names) + 1
    assert all(re.fullmatch(r"[A-Za-z0-9_=][A-Za-z0-9_.=-]{0,84}", folder) for folder in folders)
    assert folders[:3] == ["N=4", "n=4-2", "x-h"]


def test_comparison_folder() -> None:
    files = render_comparison([JUDGED, NamedEvaluation("other", usual())])
    page = files[MARKDOWN].decode()
    assert {"report.csv", "evaluations.png", "hand-made/novelty.png", "other/paper.md", "other/evaluation.json"} <= set(
        files
    )
    for name in (name for name in files if name.endswith(".png")):
        assert f"]({name})" in page and files[name].startswith(b"\x89PNG")
    assert "- other, B 6^6: new and good" in page
