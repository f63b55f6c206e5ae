"""The stored numbers of the paper against cells typed from it here."""

import pytest

from zoogen.errors import ZoogenError
from zoogen.reports.published.numbers import SECONDS, all_published, parse_published, published_for, short_label
from zoogen.tasks.hypergrid.environment import HypergridEnvironment, RewardConfig
from zoogen.tasks.hypergrid.structure import HypergridStructure

PAPER = published_for("hypergrid")


@pytest.mark.parametrize(
    ("structure", "metric", "generated", "trained"),
    [
        ("A", "sampled.kl", 7.276, 7.259),  # Table 1
        ("D", SECONDS, 60, 462),
        ("C*", "sampled.js", 0.495, 0.482),  # Table 2
        ("D*", "sampled.l1", 3.297e-06, 3.297e-06),
        ("E*", "sampled.kl", 0.002, 0.001),  # Table 9
        ("H*", SECONDS, 54, 697),
    ],
)
def test_results(structure: str, metric: str, generated: float, trained: float) -> None:
    line = PAPER.result(f"{structure} 1^1")
    assert (line.generated[metric], line.trained[metric]) == (generated, trained)


def test_all_twelve_structures_have_four_numbers_each() -> None:
    assert len(PAPER.results) == 12
    assert {len(line.generated) for line in PAPER.results.values()} == {4}
    assert {name: line.table for name, line in PAPER.results.items() if line.table != 2} == {
        **dict.fromkeys("ABCD", 1), **dict.fromkeys(("E*", "F*", "G*", "H*"), 9),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("structure", "factor", "level", "metric", "table", "value"),
    [
        ("A*", "structures", 4, "sampled.js", 4, 0.453),
        ("B", "structures", 2, "sampled.kl", 10, 7.948),
        ("C", "structures", 5, SECONDS, 11, 38),
        ("D*", "structures", 4, "sampled.js", 12, 0.489),
        ("A", "models", 300, "sampled.l1", 5, 3.098e-05),
        ("B", "models", 50, "sampled.js", 13, 0.686),
        ("C*", "models", 200, "sampled.kl", 14, 14.350),
        ("D*", "models", 300, "sampled.kl", 15, 14.351),
    ],
)
def test_ablations(structure: str, factor: str, level: int, metric: str, table: int, value: float) -> None:
    found = PAPER.ablation(structure, factor)
    assert found.table == table and found.value(structure, level, metric) == value
    assert found.value(structure, 7, metric) is None and found.value(structure, level, "exact.js") is None


def test_misprints_are_named() -> None:
    assert "0.489" in PAPER.ablation("D*", "structures").notes["D*"]
    assert "A*" in PAPER.ablation("D*", "models").notes["D*"]
    assert "5.803e-05" in PAPER.uncertainty_notes["B"]
    assert PAPER.results["H*"].generated["sampled.l1"] > 2 / 25**4 and "impossible" in PAPER.results["H*"].note


@pytest.mark.parametrize(("rule", "states"), [("anywhere", 27), ("forced_at_edge", 20)])
def test_the_note_on_l1_holds_for_both_stop_rules(rule: str, states: int) -> None:
    """A mean over all states is ours under one of the rules only, so the note must not say it of every run."""
    environment = HypergridEnvironment(HypergridStructure(3, 3), RewardConfig(), rule)
    assert environment.terminal_count == states
    (note,) = [note for note in PAPER.notes if "L1" in note]
    assert "over those at which the task's own stop rule lets it end" in note and "over all" not in note


def test_uncertainty_variance_and_parameters() -> None:
    assert PAPER.uncertainty_of("D 9^4", "sampled.kl") == (9.463, 9.467, 9.466)
    assert PAPER.uncertainty_of("A*", "sampled.kl") is None
    assert PAPER.variance_of("B* 4^4", 60).models == 50 and PAPER.variance_of("B*", 200).models == 100
    assert PAPER.variance_of("B*", 50).tensors["dense3.bias"] == (0.012, 0.014)
    assert PAPER.variance_of("A", 50) is None
    assert {(p.network, p.model): p.count for p in PAPER.parameters}["MLP", "B"] == 2339
    assert len(PAPER.parameters) == 6


def test_other_tasks_have_none_and_files_are_checked() -> None:
    assert published_for("unheard-of") is None
    assert len({paper.task for paper in all_published()}) == len(all_published())
    assert short_label("10^4") == "10^4"
    with pytest.raises(ZoogenError, match=r"x\.yaml holds no published numbers: .*metrics"):
        parse_published("{paper: P, task: t, names: {generated: a, trained: b}}", "x.yaml")
    short = "{table: 1, factor: models, metrics: [a, b], values: {A: {1: [0.5]}}}"
    with pytest.raises(ZoogenError, match="table 1 needs 2 numbers"):
        parse_published(
            f"{{paper: P, task: t, names: {{generated: a, trained: b}}, metrics: [], ablations: [{short}]}}", "y.yaml"
        )
