"""Conventional training at fixed budgets, and what every method is worth in its iterations."""

import copy
import math

import pytest
import torch
from tests.fakes import NOISE, FakeTask, FaultyTask, MemoryZoo, NoisyOptimum

from zoogen.errors import ZoogenError
from zoogen.evaluation.config import ConventionalConfig, EvaluationConfig
from zoogen.evaluation.equivalence import budget_of
from zoogen.evaluation.evaluate import evaluate
from zoogen.evaluation.methods import candidates_of
from zoogen.evaluation.result import Evaluation
from zoogen.evaluation.structure import Sources, StructureData
from zoogen.tasks.hypergrid.config import HypergridConfig, PolicyTrainingConfig
from zoogen.tasks.hypergrid.task import HypergridTask
from zoogen.tasks.records import CohortSpec, RunSpec
from zoogen.zoo.plan import ZooConfig
from zoogen.zoo.store import ArtifactStore

ZOO = ZooConfig(structures=("3", "4"), runs=4, validation_runs=0, test_runs=2)
METHODS = ("generated", "held-out", "untrained", "conventional")


class BudgetTask(FakeTask):
    """A fake task whose training takes as many iterations as it is given."""

    def with_iterations(self, iterations):
        return BudgetTask(checkpoints=iterations)

    def axes(self, structure):
        return {"n": float(structure)}


class Counting(FaultyTask):
    """A task of budgets that counts its trainings, copies of it included."""

    def with_iterations(self, iterations):
        task = copy.copy(self)
        task.checkpoints = iterations
        return task


@pytest.fixture(scope="module")
def judged() -> Evaluation:
    task = BudgetTask(checkpoints=9)
    config = EvaluationConfig(
        count=40,
        structures=("5",),
        methods=METHODS,
        unseen_methods=METHODS,
        conventional=ConventionalConfig(iterations=(4, 1, 2), runs=30),
    )
    return evaluate(task, MemoryZoo(task, ZOO), NoisyOptimum(task, noise=0.3), config)


def test_every_budget_is_a_method_of_known_and_unseen_structures(judged):
    for structure in ("3", "4", "5"):
        for iterations in (1, 2, 4):
            result = judged.result(structure, f"conventional-{iterations}")
            assert result.count == 30 and result.seconds.training == 0.5
            mean = sum(result.metrics["exact.js"]) / result.count
            assert mean == pytest.approx(0.25**iterations + NOISE**2, rel=0.35)
    assert judged.cost["conventional"] == pytest.approx(3 * 3 * 30 * 0.5)
    assert budget_of("conventional-2000") == 2000 and budget_of("held-out") is budget_of("conventional-like") is None


def test_methods_are_told_in_iterations(judged):
    for structure in ("3", "4", "5"):
        medians = {n: judged.result(structure, f"conventional-{n}").summary().median for n in (1, 2, 4)}
        if structure != "5":
            medians[9] = judged.result(structure, "held-out-last").summary().median
        for iterations, median in medians.items():
            result = judged.result(structure, f"conventional-{iterations}" if iterations != 9 else "held-out-last")
            assert (result.equivalent.iterations, result.equivalent.bound) == (iterations, ""), median
        generated = judged.result(structure, "generated")
        level, (low, high) = generated.summary().median, (medians[1], medians[2])
        wanted = math.exp(math.log(2) * math.log(low / level) / math.log(low / high))  # .09 lies between .25 and .06
        assert 1 < wanted < 2 and generated.equivalent.iterations == pytest.approx(wanted, rel=1e-9)
        assert judged.result(structure, "untrained").equivalent.text == "< 1"


def test_the_longest_budget_stands_for_training_where_there_is_no_other(judged):
    assert judged.conventional("5").method == "conventional-4"
    assert judged.conventional("3").method == "held-out-last"
    ratio = judged.ratios()["F5*"]
    parts = (judged.result("5", method).summary().median for method in ("generated", "conventional-4"))
    assert ratio == pytest.approx(next(parts) / next(parts))


def test_the_result_is_the_same_after_json(judged):
    again = Evaluation.from_json(judged.to_json())
    assert again == judged
    assert again.axes == {"3": {"n": 3.0}, "4": {"n": 4.0}, "5": {"n": 5.0}}


def test_a_task_without_budgets_leaves_them_out():
    task = FakeTask()
    config = EvaluationConfig(count=4, methods=("untrained", "conventional"))
    found = evaluate(task, MemoryZoo(task, ZOO), None, config)
    assert {result.method for result in found.results} == {"untrained"}
    assert found.notices == ("the task fake has no training of a given length, so conventional is left out",)
    assert all(result.equivalent is None for result in found.results)
    assert "axes" not in found.model_dump(mode="json") and "conventional" not in found.cost


def test_settings_of_budgets_leave_digests_alone():
    assert "conventional" not in EvaluationConfig().model_dump(mode="json")
    other = EvaluationConfig(conventional=ConventionalConfig(iterations=(7, 3, 7)))
    assert other.model_dump(mode="json")["conventional"] == {"iterations": [3, 7], "runs": 8}
    for bad in ({"iterations": ()}, {"iterations": (0,)}, {"runs": 0}):
        with pytest.raises(ValueError):
            ConventionalConfig(**bad)


def test_policies_are_those_of_a_training_of_that_length():
    task = HypergridTask(HypergridConfig(training=PolicyTrainingConfig(iterations=50, batch_size=4)))
    config = EvaluationConfig(methods=("conventional",), conventional=ConventionalConfig(iterations=(6,), runs=2))
    plan_of = ZooConfig(structures="2^2", runs=1, validation_runs=0, test_runs=0)
    data = StructureData(Sources(task, config, MemoryZoo(task, plan_of)), "2^2")
    (candidate,) = candidates_of(data)
    short = HypergridTask(HypergridConfig(training=PolicyTrainingConfig(iterations=6, batch_size=4)))
    seeds = [(data.seed("conventional", k), data.seed("conventional", "initialisation", k)) for k in range(2)]
    runs = tuple(RunSpec(k, *pair) for k, pair in enumerate(seeds))
    cohort = short.train_cohort(CohortSpec(short.resolved_for("2^2"), data.name, runs))
    assert candidate.method == "conventional-6" and torch.equal(candidate.make().weights, cohort.weights[:, -1])


def test_networks_are_trained_once_for_all_evaluations(tmp_path):
    task = Counting(tmp_path / "count").using(ArtifactStore(tmp_path / "root"))
    config = EvaluationConfig(methods=("conventional",), conventional=ConventionalConfig(iterations=(1, 3), runs=4))
    made = []
    for count in (5, 9):  # another evaluation, the same budgets
        data = StructureData(Sources(task, config.model_copy(update={"count": count}), MemoryZoo(task, ZOO)), "3")
        made.append([candidate.make() for candidate in candidates_of(data)])
    assert sorted(task.trainings().values()) == [1, 1]
    for first, second in zip(*made, strict=True):
        assert torch.equal(first.weights, second.weights) and first.weights.shape == (4, 9)
        assert first.training == second.training == 0.5
    plain = StructureData(Sources(BudgetTask(), config, MemoryZoo(BudgetTask(), ZOO)), "3")
    for kept, candidate in zip(made[0], candidates_of(plain), strict=True):
        torch.testing.assert_close(kept.weights, candidate.make().weights, msg="seeds do not depend on the store")


def test_diverged_runs_are_left_out_with_a_notice(tmp_path):
    task = Counting(tmp_path / "count", diverges=(2,)).using(ArtifactStore(tmp_path / "root"))
    config = EvaluationConfig(methods=("conventional",), conventional=ConventionalConfig(iterations=(1,), runs=4))
    (candidate,) = candidates_of(StructureData(Sources(task, config, MemoryZoo(task, ZOO)), "3"))
    made = candidate.make()
    assert len(made.weights) == 3 and bool(torch.isfinite(made.weights).all())
    assert made.notices == ("1 of 4 runs diverged and are left out",)


def test_budgets_of_some_structures_alone():
    task = BudgetTask()
    own = ConventionalConfig(iterations=(1,), runs=2, structures=(" 5", "4"))
    config = EvaluationConfig(count=2, structures=("5", "6"), methods=METHODS, unseen_methods=METHODS, conventional=own)
    found = evaluate(task, MemoryZoo(task, ZOO), NoisyOptimum(task), config)
    assert [r.structure for r in found.results if r.method == "conventional-1"] == ["4", "5"]
    assert {r.structure for r in found.results if r.equivalent is not None} == {"4", "5"}
    wrong = config.model_copy(update={"conventional": own.model_copy(update={"structures": ("9",)})})
    with pytest.raises(ZoogenError, match=r"evaluation\.conventional\.structures names 9, which is not evaluated"):
        evaluate(task, MemoryZoo(task, ZOO), None, wrong)
