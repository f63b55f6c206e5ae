"""The hypergrid task behind the contract."""

import pytest
import torch

from zoogen.errors import ZoogenError
from zoogen.tasks.hypergrid.config import (
    HypergridConfig,
    IterationsBySize,
    JudgeConfig,
    PolicyTrainingConfig,
    StructureTraining,
)
from zoogen.tasks.hypergrid.structure import HypergridStructure
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


def test_iterations_follow_the_size_of_a_grid() -> None:
    by_size = IterationsBySize(at=64, power=0.5, least=100, most=3_000)
    training = PolicyTrainingConfig(
        iterations=800, by_size=by_size, by_structure={"3^3": StructureTraining(iterations=7)}
    )
    wanted = {"4^3": 800, "8^2": 800, "4^4": 1_600, "2^2": 200, "2^1": 141, "25^4": 3_000, "2^300": 3_000, "3^3": 7}
    for structure, iterations in wanted.items():
        name = task().canonical(structure)
        resolved = training.for_structure(name)
        assert (resolved.iterations, resolved.by_size, resolved.by_structure) == (iterations, None, {}), structure
    assert by_size.model_copy(update={"power": 2.0}).iterations(800, HypergridStructure.parse("2^2")) == 100
    assert by_size.model_copy(update={"most": None}).iterations(800, HypergridStructure.parse("16^4")) == 25_600
    with pytest.raises(ValueError, match="must not be below least"):
        IterationsBySize(at=64, least=10, most=9)


def test_iterations_by_size_name_a_cohort_by_what_they_come_to() -> None:
    plain = HypergridTask(HypergridConfig(training=PolicyTrainingConfig(iterations=800)))
    scaled = PolicyTrainingConfig(iterations=400, by_size=IterationsBySize(at=16))
    assert HypergridTask(HypergridConfig(training=scaled)).resolved_for("4^3") == plain.resolved_for("4^3")
    assert "by_size" not in plain.resolved()["training"]


def test_a_training_of_a_given_length() -> None:
    own = {"4^3": StructureTraining(iterations=9, batch_size=5, checkpoints=3)}
    training = PolicyTrainingConfig(iterations=4, checkpoints=2, by_structure=own, by_size=IterationsBySize(at=2))
    subject = HypergridTask(HypergridConfig(training=training)).with_iterations(30)
    for structure, batch_size in (("4^3", 5), ("3^3", 16)):
        resolved = subject.config.training.for_structure(subject.canonical(structure))
        assert (resolved.iterations, resolved.batch_size, resolved.checkpoint_steps()) == (30, batch_size, [30])


def test_aligned_cohorts_start_from_their_styles() -> None:
    config = HypergridConfig(training=PolicyTrainingConfig(iterations=1, optimiser={"learning_rate": 1e-12}))
    subject = HypergridTask(config)
    name, runs = subject.canonical("3^3"), (RunSpec(0, 1, 7), RunSpec(1, 2, 8))
    trained = [
        subject.train_cohort(CohortSpec(subject.resolved_for(name), name, runs, aligned)).weights[:, 0]
        for aligned in (True, False)
    ]
    torch.testing.assert_close(trained[0], subject.aligned(name, [7, 8]), atol=1e-6, rtol=0)
    torch.testing.assert_close(trained[1], subject.shape(name).initial([7, 8]), atol=1e-6, rtol=0)
