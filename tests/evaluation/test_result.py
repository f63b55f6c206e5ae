"""Results: statistics against numpy, JSON there and back, the JSON of judged files."""

import json
import math

import numpy as np
import pytest
import torch
from tests.fakes import FakeTask

from zoogen.errors import ZoogenError
from zoogen.evaluation.config import EvaluationConfig
from zoogen.evaluation.records import summarise
from zoogen.evaluation.result import Environment, Evaluation, Inputs, MethodResult, metric_json


def _result(method, values, structure="2", primary="exact.js"):
    return MethodResult(
        method=method,
        structure=structure,
        label=f"F{structure}",
        known=True,
        count=len(values),
        primary=primary,
        metrics={primary: tuple(values)},
    )


def _evaluation(*results):
    return Evaluation(
        inputs=Inputs(study="s", zoo="z"),
        task={"kind": "fake"},
        primary_metrics=("exact.js",),
        config=EvaluationConfig(count=3),
        results=results,
        environment=Environment(date="2026-01-01", versions={}, hardware={}),
    )


@pytest.mark.parametrize("count", [1, 2, 3, 10, 65])
def test_summary_equals_numpy(count):
    values = np.random.default_rng(count).lognormal(size=count)
    summary = summarise(values.tolist())
    np.testing.assert_allclose(
        [summary.q25, summary.median, summary.q75], np.quantile(values, [0.25, 0.5, 0.75]), rtol=1e-12
    )
    np.testing.assert_allclose(
        [summary.mean, summary.std, summary.minimum, summary.maximum],
        [values.mean(), values.std(), values.min(), values.max()],
    )


def test_summary_of_failed_networks():
    assert summarise([1.0, math.inf, 2.0]).median == 2.0
    assert summarise([math.inf, math.inf]).median == math.inf
    assert summarise([1.0, math.nan, 3.0]).median == 2.0
    assert math.isnan(summarise([math.nan]).median)
    assert summarise([]).count == 0


def test_round_trip_through_json_keeps_everything_even_infinity():
    evaluation = _evaluation(_result("generated", [0.1, math.inf, 0.3]), _result("held-out", [0.2, 0.1, 1e-300]))
    text = evaluation.to_json()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert Evaluation.from_json(text) == evaluation
    with pytest.raises(ZoogenError, match="is no Evaluation") as caught:
        Evaluation.from_json('{"inputs": 3}', "x.json")
    assert "\n" not in str(caught.value)
    with pytest.raises(ZoogenError, match="is no Evaluation"):
        Evaluation.from_json("not json")


def test_ratio_is_of_medians_where_both_methods_exist():
    evaluation = _evaluation(
        _result("generated", [0.1, 0.3, 0.2]),
        _result("held-out", [0.1, 0.4, 0.1]),
        _result("generated", [1.0], structure="5"),
        _result("generated", [1.0], structure="3", primary="sampled.l1"),
        _result("held-out", [1.0], structure="3"),
    )
    assert evaluation.ratios() == {"F2": pytest.approx(2.0)}
    with_ends = _evaluation(*evaluation.results, _result("held-out-last", [0.05]))
    assert with_ends.ratios() == {"F2": pytest.approx(4.0)}  # the last checkpoints count where there are others
    assert evaluation.result("F2", "generated").best == 0.1
    assert evaluation.result("2", "generated") is evaluation.results[0]
    assert evaluation.result("2", "average-2") is None


def test_metric_json_of_a_judged_file():
    task = FakeTask()
    weights = task.untrained("3", 4, seed=0)
    made = json.loads(json.dumps(metric_json(task.score("3", weights, seed=5), "F3"), allow_nan=False))
    expected = ((weights.double() - task.optimum("3").double()) ** 2).mean(1)
    assert (made["structure"], made["label"], made["count"]) == ("3", "F3", 4)
    assert made["exact"]["js"] == pytest.approx(expected.tolist())
    assert set(made["exact"]) == {"js", "tv"}
    assert made["sampled"]["floors"]["perfect"]["l1"] == 0.01
    assert made["summary"]["exact.js"]["median"] == pytest.approx(np.median(expected.numpy()))
    assert made["settings"] == {"sampled": {"samples": 100, "seed": 5}}
    assert made["notices"] == []


def test_metric_json_without_the_exact_judge_says_why():
    task = FakeTask(exact_limit=2)
    made = metric_json(task.score("3", task.untrained("3", 2, seed=0)), "F3")
    assert "exact" not in made
    assert "too large" in made["notices"][0]


def test_metric_json_writes_null_for_infinity():
    task = FakeTask()
    scores = task.score("2", task.untrained("2", 2, seed=0))
    scores.groups["exact"].values["js"][1] = torch.inf
    made = metric_json(scores, "F2")
    assert made["exact"]["js"][1] is None
    json.dumps(made, allow_nan=False)


@pytest.mark.parametrize(
    "bad",
    [
        {"count": 0},
        {"average_k": [1]},
        {"methods": []},
        {"methods": ["best"]},
        {"seed": -1},
        {"conut": 3},
        {"noise": [0.0]},
        {"kde": [-1]},
        {"audit": {"sample": 1}},
        {"unseen_methods": ["best"]},
    ],
)
def test_bad_configuration(bad):
    with pytest.raises(ValueError, match="EvaluationConfig"):
        EvaluationConfig.model_validate(bad)
