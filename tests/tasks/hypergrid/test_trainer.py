"""The cohort trainer: it learns, repeats itself, and keeps runs apart."""

import pytest
import torch

from zoogen.networks.stacked_mlp import MLPShape
from zoogen.tasks.hypergrid.config import PolicyTrainingConfig, StructureTraining
from zoogen.tasks.hypergrid.environment import HypergridEnvironment, RewardConfig
from zoogen.tasks.hypergrid.judge import ExactJudge
from zoogen.tasks.hypergrid.learner import (
    DetailedBalanceConfig,
    FlowMatchingConfig,
    ObjectiveConfig,
    SubTrajectoryBalanceConfig,
    TrajectoryBalanceConfig,
)
from zoogen.tasks.hypergrid.optimiser import OptimiserConfig
from zoogen.tasks.hypergrid.structure import HypergridStructure
from zoogen.tasks.hypergrid.trainer import CohortTrainer
from zoogen.tasks.records import RunSpec

ENVIRONMENT = HypergridEnvironment(HypergridStructure(4, 2), RewardConfig())
SHAPE = MLPShape(8, 32, 3)
RUNS = tuple(RunSpec(run, 10 + run, 5) for run in range(4))


def train(config: PolicyTrainingConfig, runs: tuple[RunSpec, ...] = RUNS) -> torch.Tensor:
    return CohortTrainer(ENVIRONMENT, SHAPE, config, runs).train().weights


@pytest.mark.parametrize(
    "objective",
    [TrajectoryBalanceConfig(), DetailedBalanceConfig(), SubTrajectoryBalanceConfig(), FlowMatchingConfig()],
    ids=lambda o: o.kind,
)
def test_every_objective_learns_the_target(objective: ObjectiveConfig) -> None:
    config = PolicyTrainingConfig(
        objective=objective, iterations=600, optimiser=OptimiserConfig(learning_rate=1e-2), epsilon=0.1
    )
    trainer = CohortTrainer(ENVIRONMENT, SHAPE, config, RUNS)
    before = ExactJudge(ENVIRONMENT, SHAPE).metrics(trainer.learner.policy.flat()).js
    weights = trainer.train().weights[:, -1]
    after = ExactJudge(ENVIRONMENT, SHAPE).metrics(weights).js
    assert (before > 0.05).all()
    assert (after < 5e-3).all()


def test_log_z_converges_to_the_partition_function() -> None:
    config = PolicyTrainingConfig(iterations=1000, optimiser=OptimiserConfig(learning_rate=1e-2))
    figures = CohortTrainer(ENVIRONMENT, SHAPE, config, RUNS).train().figures
    expected = torch.tensor(ENVIRONMENT.partition).log().expand(4)
    torch.testing.assert_close(figures["log_z"][:, -1], expected, atol=0.02, rtol=0)


def test_same_seeds_same_bits_and_other_seeds_other_weights() -> None:
    config = PolicyTrainingConfig(iterations=20, checkpoints=3, window=0.5)
    first, again = train(config), train(config)
    assert torch.equal(first, again)
    assert (first[0] != first[1]).any(), "shared initialisation, different sampling seeds"


def test_runs_do_not_depend_on_the_cohort_they_are_in() -> None:
    config = PolicyTrainingConfig(iterations=5)
    together = train(config)
    for k, run in enumerate(RUNS):
        torch.testing.assert_close(train(config, (run,))[0], together[k], atol=1e-5, rtol=1e-4)


def test_learning_rates_go_to_runs_in_turn() -> None:
    rates = (1e-3, 1e-5)
    config = PolicyTrainingConfig(iterations=1, optimiser=OptimiserConfig(learning_rate=rates, schedule="constant"))
    start = SHAPE.initial([run.init_seed for run in RUNS])
    moved = (train(config)[:, 0] - start).abs().amax(1)
    # Adam's first step has the length of its learning rate
    torch.testing.assert_close(moved, torch.tensor([1e-3, 1e-5, 1e-3, 1e-5]), rtol=0.05, atol=0)


def test_checkpoints_are_dense_at_the_end() -> None:
    config = PolicyTrainingConfig(iterations=1000, checkpoints=5, window=0.1)
    assert config.checkpoint_steps() == [920, 940, 960, 980, 1000]
    assert PolicyTrainingConfig(iterations=3, checkpoints=10).checkpoint_steps() == [1, 2, 3]
    steps = PolicyTrainingConfig(iterations=997, checkpoints=200, window=0.05).checkpoint_steps()
    assert len(steps) == len(set(steps)) == 200
    assert steps[-1] == 997


def test_structures_may_have_their_own_iterations() -> None:
    config = PolicyTrainingConfig(iterations=10, by_structure={"C*": StructureTraining(iterations=20, batch_size=3)})
    own = config.for_structure("36,12,3,6")
    assert (own.iterations, own.batch_size, own.by_structure) == (20, 3, {})
    assert config.for_structure("9,3,3,3").iterations == 10
