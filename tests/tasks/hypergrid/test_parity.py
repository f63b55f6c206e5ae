"""Losses and gradients of the cohort trainer equal torchgfn's on the same trajectories."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from zoogen.networks.stacked_mlp import MLPShape, StackedMLP
from zoogen.tasks.hypergrid.environment import HypergridEnvironment, RewardConfig
from zoogen.tasks.hypergrid.interop import PolicyMLP, TorchgfnPolicy, to_torchgfn
from zoogen.tasks.hypergrid.learner import (
    CohortLearner,
    DetailedBalanceConfig,
    FlowMatchingConfig,
    ObjectiveConfig,
    SubTrajectoryBalanceConfig,
    TrajectoryBalanceConfig,
)
from zoogen.tasks.hypergrid.sampling import Trajectories, TrajectorySampler
from zoogen.tasks.hypergrid.structure import HypergridStructure

pytest.importorskip("gfn")

MODELS, BATCH, HIDDEN = 3, 7, 8
GRIDS = [(2, 1), (3, 3), (8, 2), (5, 2)]  # horizon, dimensions
RULES = ["anywhere", "forced_at_edge"]
OBJECTIVES: dict[str, ObjectiveConfig] = {
    "tb": TrajectoryBalanceConfig(initial_log_z=0.7),
    "db": DetailedBalanceConfig(),
    "subtb": SubTrajectoryBalanceConfig(decay=0.9),
    "subtb_half": SubTrajectoryBalanceConfig(decay=0.5),
    "fm": FlowMatchingConfig(),
}


@pytest.fixture(autouse=True)
def _double_by_default() -> Iterator[None]:
    """torchgfn computes in the default type: in double, its losses are the truth up to our own rounding."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


class Case:
    """A cohort with large random weights, so that logits are far from uniform, and trajectories of it."""

    def __init__(self, grid: tuple[int, int], rule: str, config: ObjectiveConfig, epsilon: float = 0.2) -> None:
        torch.set_default_dtype(torch.float32)  # ours is single precision
        structure = HypergridStructure(*grid)
        self.environment = HypergridEnvironment(structure, RewardConfig(), rule)  # type: ignore[arg-type]
        self.shape = MLPShape(structure.state_size, HIDDEN, structure.actions)
        self.flow_shape = MLPShape(structure.state_size, HIDDEN, 1)
        self.weights = 3 * self.shape.initial([1, 2, 3])
        self.flow_weights = 3 * self.flow_shape.initial([4, 5, 6])
        policy = StackedMLP(self.shape, self.weights)
        flow = StackedMLP(self.flow_shape, self.flow_weights) if CohortLearner.needs_flow(config) else None
        self.learner = CohortLearner(config, self.environment, policy, flow)
        sampler = TrajectorySampler(policy, self.environment, BATCH)
        generators = [torch.Generator().manual_seed(10 + m) for m in range(MODELS)]
        self.trajectories = sampler.sample(sampler.uniforms(generators), epsilon=epsilon)
        self.loss = self.learner.gradients(self.trajectories)
        torch.set_default_dtype(torch.float64)


def as_torchgfn(policy: TorchgfnPolicy, trajectories: Trajectories, model: int):  # type: ignore[no-untyped-def]
    """The trajectories of one model as torchgfn's container."""
    from gfn.containers import Trajectories as TorchgfnTrajectories

    rows = trajectories.rows
    assert rows is not None
    actions = trajectories.dense(rows.actions + 1)[model] - 1  # -1 past the end, torchgfn's dummy action
    n = rows.states.shape[2]
    states = [torch.zeros(actions.shape[1], n, dtype=torch.int64)]
    for step in actions:
        moved = states[-1] + torch.nn.functional.one_hot(step.clamp(min=0), n + 1)[:, :n]
        states.append(torch.where(((step == n) | (step < 0)).unsqueeze(1), -1, moved))
    ends = (actions == n).int().argmax(0) + 1
    reached = torch.stack(states)[ends - 1, torch.arange(len(ends))]
    assert torch.equal(reached, trajectories.final[model])
    env = policy.env
    return TorchgfnTrajectories(
        env, env.States(torch.stack(states)), env.actions_from_tensor(actions.unsqueeze(-1)), terminating_idx=ends
    )


def gradient(module: torch.nn.Module, shape: MLPShape) -> Tensor:
    return shape.layout.flatten({name: parameter.grad for name, parameter in module.named_parameters()})


def reference(case: Case, config: ObjectiveConfig, model: int) -> dict[str, Tensor]:
    """torchgfn's loss and gradients for one model, in double precision."""
    from gfn.estimators import ScalarEstimator
    from gfn.gflownet import DBGFlowNet, FMGFlowNet, SubTBGFlowNet, TBGFlowNet

    policy = to_torchgfn(case.environment, case.shape, case.weights[model].double())
    flow_module = PolicyMLP(case.flow_shape, case.flow_weights[model].double())
    flow = ScalarEstimator(flow_module, preprocessor=policy.forward.preprocessor)
    if isinstance(config, TrajectoryBalanceConfig):
        gflownet = TBGFlowNet(policy.forward, policy.backward, init_logZ=config.initial_log_z)
    elif isinstance(config, DetailedBalanceConfig):
        gflownet = DBGFlowNet(policy.forward, policy.backward, flow)
    elif isinstance(config, SubTrajectoryBalanceConfig):
        gflownet = SubTBGFlowNet(policy.forward, policy.backward, flow, "geometric_within", config.decay)
    else:
        gflownet = FMGFlowNet(policy.forward, alpha=1.0)
    loss = gflownet.loss_from_trajectories(policy.env, as_torchgfn(policy, case.trajectories, model))
    loss.backward()
    result = {"loss": loss.detach(), "policy": gradient(policy.forward.module, case.shape)}
    if isinstance(config, TrajectoryBalanceConfig):
        result["log_z"] = gflownet.logZ.grad
    if CohortLearner.needs_flow(config):
        result["flow"] = gradient(flow_module, case.flow_shape)
    return result


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("grid", GRIDS, ids=lambda g: f"{g[0]}^{g[1]}")
@pytest.mark.parametrize("name", OBJECTIVES)
def test_loss_and_gradients_equal_torchgfn(name: str, grid: tuple[int, int], rule: str) -> None:
    config = OBJECTIVES[name]
    case = Case(grid, rule, config)
    ours = {
        "loss": case.loss,
        "policy": case.learner.policy.flat(gradient=True),
        "log_z": case.learner.log_z_gradient,
        "flow": case.learner.flow.flat(gradient=True) if case.learner.flow is not None else None,
    }
    for model in range(MODELS):
        for part, expected in reference(case, config, model).items():
            values = ours[part]
            assert values is not None
            scale = float(expected.abs().max())
            got = values[model].double()
            assert torch.allclose(got, expected, rtol=2e-5, atol=2e-5 * max(scale, 1.0)), (part, got, expected)


def test_all_trajectories_stop_at_once() -> None:
    """Flow matching has then no inner state, and a sub-trajectory is one step."""
    for config in OBJECTIVES.values():
        case = Case((3, 2), "anywhere", config, epsilon=0.0)
        stop = case.shape.outputs - 1
        weights = case.weights.clone()
        case.shape.layout.unflatten(weights)["dense3.bias"][:, stop] = 200.0
        case.weights = weights
        torch.set_default_dtype(torch.float32)
        case.learner.policy.load(weights)
        sampler = TrajectorySampler(case.learner.policy, case.environment, BATCH)
        generators = [torch.Generator().manual_seed(m) for m in range(MODELS)]
        case.trajectories = sampler.sample(sampler.uniforms(generators))
        loss = case.learner.gradients(case.trajectories)
        torch.set_default_dtype(torch.float64)
        assert int(case.trajectories.final.sum()) == 0
        for model in range(MODELS):
            expected = reference(case, config, model)
            torch.testing.assert_close(loss[model].double(), expected["loss"], rtol=2e-5, atol=1e-4)
