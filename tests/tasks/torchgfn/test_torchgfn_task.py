"""Policies on torchgfn environments: training, judging, and what is refused."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from zoogen.config import load_config, parse_config
from zoogen.errors import ZoogenError
from zoogen.tasks.hypergrid.environment import HypergridEnvironment, RewardConfig
from zoogen.tasks.hypergrid.judge import ExactJudge
from zoogen.tasks.hypergrid.structure import HypergridStructure
from zoogen.tasks.records import CohortSpec, RunSpec
from zoogen.tasks.registry import build_task, task_from_mapping
from zoogen.tasks.torchgfn.config import TorchgfnConfig
from zoogen.tasks.torchgfn.enumeration import enumerate_states
from zoogen.tasks.torchgfn.environments import make_environment
from zoogen.tasks.torchgfn.task import TorchgfnTask

pytest.importorskip("gfn")

OBJECTIVES = ["trajectory_balance", "detailed_balance", "sub_trajectory_balance", "flow_matching"]
GRID = {"environment": "gfn.gym.hypergrid:HyperGrid", "structures": {"3x2": {"ndim": 2, "height": 3}}}
GRID["structures"]["3x2"]["validate_modes"] = False  # type: ignore[index]


def task(training: dict[str, Any] | None = None, **update: Any) -> TorchgfnTask:
    mapping = {"kind": "torchgfn", **GRID, "training": training or {}, **update}
    return TorchgfnTask(parse_config(TorchgfnConfig, mapping, "test"))


def spec(of: TorchgfnTask, structure: str, runs: int = 2) -> CohortSpec:
    return CohortSpec(of.resolved_for(structure), structure, tuple(RunSpec(r, 100 + r, 7) for r in range(runs)))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_training_learns_the_distribution(objective: str) -> None:
    training = {
        "objective": {"kind": objective},
        "optimiser": {"learning_rate": 0.05, "schedule": "linear"},
        "iterations": 100,
        "batch_size": 16,
        "checkpoints": 3,
        "window": 0.5,
    }
    learner = task(training)
    seen: list[tuple[int, int]] = []
    cohort = learner.train_cohort(spec(learner, "3x2"), progress=lambda done, total, _: seen.append((done, total)))
    assert cohort.steps.tolist() == [66, 83, 100]
    assert cohort.weights.shape == (2, 3, learner.layout("3x2").size)
    assert seen[-1] == (200, 200)
    assert not torch.equal(cohort.weights[0], cohort.weights[1])
    last = learner.score("3x2", cohort.weights[:, -1])
    fresh = learner.score("3x2", learner.untrained("3x2", 2, seed=0))
    assert float(last.metric("exact.js").max()) < 0.3 * float(fresh.metric("exact.js").min())
    graph = learner.graph("3x2")
    assert graph is not None
    assert cohort.training["log_z"][:, -1].tolist() == pytest.approx([math.log(graph.rewards.sum())] * 2, abs=0.3)


def test_same_seeds_give_the_same_bits_and_leave_the_global_generator_alone() -> None:
    learner = task({"iterations": 5, "checkpoints": 2, "window": 1.0, "epsilon": 0.1})
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = learner.train_cohort(spec(learner, "3x2"))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first.weights, learner.train_cohort(spec(learner, "3x2")).weights)


def test_exact_metrics_agree_with_the_hypergrid_judge() -> None:
    """8^2 has no states on band edges, so both tasks mean the same reward."""
    grid = HypergridEnvironment(HypergridStructure(8, 2), RewardConfig())
    learner = task(structures={"8x2": {"ndim": 2, "height": 8}})
    weights = learner.untrained("8x2", 3, seed=1) * 2
    from zoogen.networks.stacked_mlp import MLPShape

    expected = ExactJudge(grid, MLPShape(16, 32, 3)).metrics(weights)
    scores = learner.score("8x2", weights)
    for name in ("js", "kl", "tv", "expected_reward"):
        torch.testing.assert_close(scores.metric(f"exact.{name}"), getattr(expected, name), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("path", "arguments", "states", "terminal"),
    [
        ("gfn.gym:HyperGrid", {"ndim": 3, "height": 4, "validate_modes": False}, 64, 64),
        ("gfn.gym:DiscreteEBM", {"ndim": 4}, 81, 16),  # each site unset, −1 or 1; full ones end
    ],
)
def test_enumeration_finds_every_state(path: str, arguments: dict[str, Any], states: int, terminal: int) -> None:
    env = make_environment(path, arguments)
    graph = enumerate_states(env, 1000)
    assert graph is not None
    assert len(graph.states) == states
    assert int((graph.truth > 0).sum()) == terminal
    uniform = graph.masks.double() / graph.masks.sum(1, keepdim=True)
    learnt = graph.terminating(uniform.unsqueeze(0))
    assert float(learnt.sum()) == pytest.approx(1.0)
    assert float(learnt[0][~graph.masks[:, -1]].sum()) == 0
    assert enumerate_states(env, states - 1) is None


def test_other_environments_train_and_are_drawn() -> None:
    learner = task(
        {"iterations": 3},
        environment="gfn.gym.discrete_ebm:DiscreteEBM",
        structures={"d3": {"ndim": 3}, "d4": {"ndim": 4}},
    )
    cohort = learner.train_cohort(spec(learner, "d4"))
    truth, learnt = learner.portraits("d4", cohort.weights[0, -1])
    assert truth.values.shape == learnt.values.shape
    assert truth.values.sum() == pytest.approx(1) and learnt.values.sum() == pytest.approx(1)
    assert len(learner.condition("d3")) == len(learner.condition("d4"))
    assert "ndim" in learner.file_metadata("d4")["arguments"]


def test_large_environments_are_judged_by_samples_and_say_so() -> None:
    learner = task(exact_states=8, samples=400)
    weights = learner.untrained("3x2", 2, seed=0)
    scores = learner.score("3x2", weights, seed=1)
    assert set(scores.groups) == {"sampled"}
    assert "more than 8 states" in scores.notices[0]
    assert torch.equal(scores.metric("sampled.js"), learner.score("3x2", weights, seed=1).metric("sampled.js"))
    assert "untrained" in scores.groups["sampled"].floors
    assert len(learner.portraits("3x2", weights[0])) == 2


def test_the_registry_knows_the_task_and_cohorts_do_not_depend_on_other_structures() -> None:
    one = task()
    both = task(structures={**GRID["structures"], "other": {"ndim": 1, "height": 5}})  # type: ignore[dict-item]
    assert spec(one, "3x2").digest == spec(both, "3x2").digest
    assert task_from_mapping(one.resolved()).resolved() == one.resolved()
    assert isinstance(build_task(one.config), TorchgfnTask)


def test_bad_input_is_named() -> None:
    learner = task()
    weights = learner.untrained("3x2", 2, seed=0)
    with pytest.raises(ZoogenError, match="unknown structure"):
        learner.canonical("9x9")
    with pytest.raises(ZoogenError, match="need \\[K"):
        learner.score("3x2", weights[:, :-1])
    weights[1, 0] = torch.nan
    with pytest.raises(ZoogenError, match="first 1"):
        learner.score("3x2", weights)
    with pytest.raises(ZoogenError, match="does not accept"):
        task(structures={"a": {"dimensions": 2}}).environment("a")
    with pytest.raises(ZoogenError, match="no structure name"):
        task(structures={"../a": {"ndim": 2}})
    with pytest.raises(ZoogenError, match="unknown key training.batch "):
        task({"batch": 3})


def test_the_example_study_is_valid_and_its_structures_exist() -> None:
    from zoogen.pipelines.config import PipelineConfig

    path = Path(__file__).parents[3] / "configs" / "torchgfn" / "quick.yaml"
    study = load_config(PipelineConfig, path)
    assert isinstance(study.task, TorchgfnConfig)
    learner = TorchgfnTask(study.task)
    sizes = [learner.layout(name).size for name in study.zoo.structures]
    assert sizes == sorted(sizes) and sizes[0] > 0
