"""The hypergrid room on CUDA equals the CPU within float tolerance."""

import pytest
import torch

from zoogen.networks.stacked_mlp import MLPShape
from zoogen.tasks.hypergrid.config import PolicyTrainingConfig
from zoogen.tasks.hypergrid.environment import HypergridEnvironment, RewardConfig
from zoogen.tasks.hypergrid.judge import ExactJudge
from zoogen.tasks.hypergrid.learner import (
    DetailedBalanceConfig,
    FlowMatchingConfig,
    ObjectiveConfig,
    SubTrajectoryBalanceConfig,
    TrajectoryBalanceConfig,
)
from zoogen.tasks.hypergrid.protocol import SampledProtocol
from zoogen.tasks.hypergrid.structure import HypergridStructure
from zoogen.tasks.hypergrid.trainer import CohortTrainer
from zoogen.tasks.records import RunSpec

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]

ENVIRONMENT = HypergridEnvironment(HypergridStructure(6, 3), RewardConfig())
SHAPE = MLPShape(18, 32, 4)
RUNS = tuple(RunSpec(run, 10 + run, 5) for run in range(4))


@pytest.mark.parametrize(
    "objective",
    [TrajectoryBalanceConfig(), DetailedBalanceConfig(), SubTrajectoryBalanceConfig(), FlowMatchingConfig()],
    ids=lambda o: o.kind,
)
def test_training_steps_agree(objective: ObjectiveConfig) -> None:
    """Random numbers are drawn on the CPU, so both devices see the same trajectories at first."""
    config = PolicyTrainingConfig(objective=objective, iterations=3)
    cpu = CohortTrainer(ENVIRONMENT, SHAPE, config, RUNS).train().weights
    cuda = CohortTrainer(ENVIRONMENT, SHAPE, config, RUNS, device="cuda").train().weights
    torch.testing.assert_close(cuda, cpu, atol=1e-4, rtol=1e-3)


def test_the_judge_agrees() -> None:
    weights = SHAPE.initial([1, 2, 3]) * 3
    cpu = ExactJudge(ENVIRONMENT, SHAPE).metrics(weights)
    cuda = ExactJudge(ENVIRONMENT, SHAPE, device="cuda").metrics(weights)
    for name in ("js", "kl", "tv", "modes", "expected_reward"):
        torch.testing.assert_close(getattr(cuda, name), getattr(cpu, name), atol=1e-5, rtol=1e-4)


def test_the_sampled_protocol_agrees() -> None:
    protocol = SampledProtocol(ENVIRONMENT, SHAPE, samples=2_000)
    weights = SHAPE.initial([1, 2])
    cpu, cuda = protocol.metrics(weights, 0), protocol.metrics(weights, 0, device="cuda")
    torch.testing.assert_close(cuda["js"], cpu["js"], atol=1e-3, rtol=1e-2)
