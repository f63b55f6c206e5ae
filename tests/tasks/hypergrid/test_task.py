"""The hypergrid task behind the contract."""

import pytest
import torch

from zoogen.errors import ZoogenError
from zoogen.tasks.hypergrid.config import HypergridConfig, JudgeConfig, PolicyTrainingConfig, StructureTraining
from zoogen.tasks.hypergrid.task import HypergridTask
from zoogen.tasks.records import CohortSpec, RunSpec


def task(**judge: object) -> HypergridTask:
    training = PolicyTrainingConfig(iterations=4, checkpoints=2, window=1.0)
    return HypergridTask(HypergridConfig(training=training, judge=JudgeConfig(samples=50, **judge)))


def test_a_cohort_is_trained_and_scored() -> None:
    subject = task()
    spec = CohortSpec(subject.resolved_for("3^3"), subject.canonical("3^3"), (RunSpec(0, 1, 2), RunSpec(1, 3, 2)))
    cohort = subject.train_cohort(spec)
    assert cohort.weights.shape == (2, 2, subject.layout("3^3").size)
    assert cohort.steps.tolist() == [2, 4]
    scores = subject.score("3^3", cohort.weights.flatten(0, 1))
    assert scores.count == 4
    assert set(scores.groups) == {"exact", "sampled"}
    assert {"js", "kl", "tv", "modes", "expected_reward"} == set(scores.groups["exact"].values)
    assert set(scores.groups["sampled"].floors) == {"perfect_sampler", "untrained"}
    assert scores.groups["sampled"].settings["samples"] == 50


def test_layout_is_the_issue_of_the_file_format() -> None:
    shapes = task().layout("36,12,3,6").shapes
    assert shapes == {
        "dense1.weight": (32, 36),
        "dense1.bias": (32,),
        "dense2.weight": (32, 32),
        "dense2.bias": (32,),
        "dense3.weight": (4, 32),
        "dense3.bias": (4,),
    }
    # 2,339 parameters with three outputs is the paper's Table 7; ours has n + 1 = 4
    assert task().layout("C*").size == 2339 + 33


def test_condition_is_the_papers_tuple() -> None:
    assert task().condition("A") == (64, 16, 4, 8)


def test_other_structures_settings_do_not_change_a_cohorts_identity() -> None:
    def spec(by_structure: dict[str, StructureTraining]) -> str:
        config = HypergridConfig(training=PolicyTrainingConfig(by_structure=by_structure))
        return CohortSpec(HypergridTask(config).resolved_for("A"), "64,16,4,8", (RunSpec(0, 1, 2),)).digest

    assert spec({}) == spec({"B": StructureTraining(iterations=5)})
    assert spec({}) != spec({"A": StructureTraining(iterations=5)})


def test_beyond_the_budget_metrics_are_sampled_with_a_notice() -> None:
    scores = task(memory_gib=0.01).score("16^4", task().untrained("16^4", 2, 0))
    assert set(scores.groups) == {"sampled"}
    assert "exceed the exact judge's budget" in scores.notices[0]


def test_wrong_shapes_and_nan_are_refused() -> None:
    weights = task().untrained("3^3", 2, 0)
    with pytest.raises(ZoogenError, match="are not policies of B"):
        task().score("B", weights)
    weights[1, 5] = torch.nan
    with pytest.raises(ZoogenError, match="1 of 2 networks hold NaN or infinity; the first is 1"):
        task().score("3^3", weights)


def test_structure_and_width_are_read_off_a_strangers_tensors() -> None:
    shapes = {"dense1.weight": (16, 36), "dense1.bias": (16,), "dense3.bias": (4,)}
    assert task().infer_structure(shapes) == "36,12,3,6"
    assert task().for_file({"activation_slope": "0.2"}, shapes).shape("C*").hidden == 16
    assert task().for_file({"activation_slope": "0.2"}, shapes).shape("C*").slope == 0.2
    with pytest.raises(ZoogenError, match="fit no hypergrid"):
        task().infer_structure({"dense1.weight": (16, 37), "dense3.bias": (4,)})
    with pytest.raises(ZoogenError, match="no hypergrid policies"):
        task().infer_structure({"conv.weight": (3, 3)})


def test_portraits_are_marginals_of_truth_and_policy() -> None:
    truth, learnt = task().portraits("4^3", task().untrained("4^3", 1, 0)[0])
    assert truth.values.shape == learnt.values.shape == (4, 4)
    assert truth.values.sum() == pytest.approx(1)
    assert learnt.values.sum() == pytest.approx(1)
    # the reward is symmetric under exchange and reflection of coordinates
    torch.testing.assert_close(torch.tensor(truth.values), torch.tensor(truth.values.T))
    torch.testing.assert_close(torch.tensor(truth.values), torch.tensor(truth.values[::-1].copy()))
