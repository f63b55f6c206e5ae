"""Verdict, tables and heat maps of a similarity with numbers made by hand."""

import matplotlib.image
import pytest

from zoogen.evaluation.layer_similarity import Group, LayerPair, ParameterCount, Similarity
from zoogen.evaluation.layer_similarity_config import SimilarityConfig
from zoogen.evaluation.machine import describe_environment
from zoogen.evaluation.result import Inputs
from zoogen.reports.layer_similarity import claims, panel_rows, parameters_sheet, render_similarity, similarity_sheet

Rows = tuple[tuple[float, ...], ...]
FLAT: Rows = ((0.8, 0.8), (0.7, 0.7))  # mean .75, variance .0025
STEEP: Rows = ((1.0, 0.2), (0.2, 0.2))  # mean .4, variance .12
HIGH: Rows = ((0.9, 0.9), (0.9, 0.9))


def pair(group: Group, name: str, values: Rows) -> LayerPair:
    layers = tuple(f"dense{i + 1}" for i in range(len(values)))
    return LayerPair(
        group=group,
        first=f"{name} first",
        second=f"{name} second",
        first_layers=layers,
        second_layers=layers,
        networks=3,
        values=values,
        spread=tuple(tuple(0.01 for _ in row) for row in values),
    )


def similarity(*pairs: LayerPair) -> Similarity:
    counts = (
        ParameterCount(model="MLP C* (36,12,3,6)", label="C* 12^3", parameters=2372, one_output_less=2339),
        ParameterCount(model="ResNet-18", label="ResNet-18", parameters=11_689_512),
    )
    return Similarity(
        inputs=Inputs(study="made up"),
        task={"kind": "hypergrid"},
        config=SimilarityConfig(),
        pairs=pairs,
        parameters=counts,
        environment=describe_environment(),
    )


def test_claims_follow_from_the_numbers() -> None:
    mean, variance = claims(similarity(pair("policies", "A", FLAT), pair("vision", "R", STEEP)))
    assert (mean.verdict, variance.verdict) == ("holds", "holds")
    assert mean.policies == pytest.approx(0.75) and variance.policies == pytest.approx(0.0025)
    assert list(mean.vision.values()) == pytest.approx([0.4]) and list(variance.vision.values()) == pytest.approx(
        [0.12]
    )

    mixed = similarity(pair("policies", "A", FLAT), pair("vision", "R", STEEP), pair("vision", "T", HIGH))
    assert [claim.verdict for claim in claims(mixed)] == ["holds only against R first vs R second"] * 2
    turned = claims(similarity(pair("policies", "A", STEEP), pair("vision", "T", HIGH)))
    assert [claim.verdict for claim in turned] == ["does not hold"] * 2
    assert claims(similarity(pair("policies", "A", FLAT))) == ()


def test_the_table_has_each_pair_and_what_training_changed() -> None:
    sheet = similarity_sheet(
        similarity(pair("policies", "A", FLAT), pair("untrained policies", "A0", STEEP), pair("vision", "R", HIGH))
    )
    assert sheet.cell("mean", "A first vs A second") == pytest.approx(0.75)
    assert sheet.cell("equal layers", "A0 first vs A0 second") == pytest.approx(0.6)
    assert sheet.cell("layer pairs", "R first vs R second") == 4
    assert "policies of two structures: mean CKA .4 before training, .75 after" in sheet.notes


def test_parameters_stand_beside_the_papers() -> None:
    sheet = parameters_sheet(similarity())
    assert (
        sheet.cell("paper", "MLP C* (36,12,3,6)") == "2,339" and sheet.cell("parameters", "ResNet-18") == "11,689,512"
    )
    assert "one output less" in str(sheet.cell("note", "MLP C* (36,12,3,6)"))
    assert sheet.cell("paper", "ResNet-18") == "11,689,512"
    assert "does not define" in str(sheet.cell("note", "Transformer with 4 heads"))
    assert sheet.cell("paper", "policy of the molecule task") == "193,709"
    assert sheet.cell("paper", "ResNet-34") == "21,797,672" and sheet.cell("parameters", "ResNet-34") is None


def test_untrained_networks_stand_below_their_counterparts(tmp_path) -> None:  # type: ignore[no-untyped-def]
    whole = similarity(
        pair("policies", "A", FLAT),
        pair("vision", "R", HIGH),
        pair("untrained vision", "R0", STEEP),
        pair("untrained policies", "A0", STEEP),
        pair("same structure", "A1", HIGH),
    )
    groups = [[panel.group if panel else None for panel in row] for row in panel_rows(whole)]
    assert groups == [["vision", "policies"], ["untrained vision", "untrained policies"], [None, "same structure"]]
    files = render_similarity(whole)
    assert set(files) == {"report.html", "similarity.md", "parameters.md", "similarity.png"}
    (tmp_path / "figure.png").write_bytes(files["similarity.png"])
    picture = matplotlib.image.imread(tmp_path / "figure.png")
    assert picture.shape[0] > 1000 and picture[..., :3].std() > 0.1
    assert "| dense1 | 0.80 ± 0.01 | 0.80 ± 0.01 |" in files["similarity.md"].decode()


def test_without_pairs_there_is_no_figure() -> None:
    assert set(render_similarity(similarity())) == {"report.html", "similarity.md", "parameters.md"}
