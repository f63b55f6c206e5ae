"""Results of benchmarks: targets, JSON, Markdown, and the comparison with an earlier result."""

from pathlib import Path

import pytest

from zoogen.benchmarks.result import BenchmarkResult, Measure, regressions
from zoogen.errors import ZoogenError
from zoogen.evaluation.result import Environment


def measure(name: str, value: float, better: str, target: float | None = None) -> Measure:
    return Measure(name=name, value=value, unit="×", better=better, target=target)  # type: ignore[arg-type]


def result(*measures: Measure) -> BenchmarkResult:
    return BenchmarkResult(
        kind="trainer",
        title="A title",
        method="How.",
        command="zoogen benchmark x.yaml",
        seed=0,
        config={"kind": "trainer"},
        measures=measures,
        table=({"contender": "ours", "rate": 1234.5678, "left": None}, {"contender": "theirs", "more": 2}),
        environment=Environment(date="2026-01-01", versions={"torch": "2"}, hardware={"cores": "2"}),
    )


def test_targets_are_reached_in_their_direction() -> None:
    assert measure("speed", 35.0, "higher", 35.0).reached is True
    assert measure("speed", 34.9, "higher", 35.0).reached is False
    assert measure("js", 0.004, "lower", 0.005).reached is True
    assert measure("js", float("nan"), "lower", 0.005).reached is False
    assert measure("js", 1.0, "lower").reached is None


def test_json_returns_the_same_result(tmp_path: Path) -> None:
    one = result(measure("speed", 40.0, "higher", 35.0), measure("js", float("inf"), "lower"))
    path = tmp_path / "trainer.json"
    path.write_text(one.to_json())
    assert BenchmarkResult.read(path) == one
    path.write_text('{"kind": "trainer"}')
    with pytest.raises(ZoogenError, match="no benchmark result"):
        BenchmarkResult.read(path)
    with pytest.raises(ZoogenError, match="cannot read"):
        BenchmarkResult.read(tmp_path / "missing.json")


def test_markdown_tells_measures_rows_and_circumstances() -> None:
    text = result(measure("speed", 40.0, "higher", 35.0)).to_markdown()
    assert "| speed | 40 × | ≥ 35 | reached |" in text
    assert "| contender | rate | left | more |" in text
    assert "| ours | 1235 | – | – |" in text
    assert "torch 2" in text and "cores 2" in text and "zoogen benchmark x.yaml" in text


def test_only_what_got_worse_beyond_the_tolerance_is_a_regression() -> None:
    before = result(measure("speed", 100.0, "higher"), measure("js", 0.010, "lower"))
    assert regressions(result(measure("speed", 90.0, "higher"), measure("js", 0.011, "lower")), before, 0.15) == []
    assert regressions(result(measure("speed", 300.0, "higher"), measure("js", 0.001, "lower")), before, 0.0) == []
    worse = regressions(result(measure("speed", 84.0, "higher"), measure("js", float("nan"), "lower")), before, 0.15)
    assert len(worse) == 2
    assert "not measured" in regressions(result(measure("js", 0.01, "lower")), before, 0.15)[0]
