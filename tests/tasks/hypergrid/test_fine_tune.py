"""Training on from given policies: log Z's start, what is counted on the way, and that nothing else differs."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.networks.stacked_mlp import MLPShape, StackedMLP
from zoogen.seeds import seeded_generator
from zoogen.tasks.hypergrid.config import HypergridConfig, PolicyTrainingConfig
from zoogen.tasks.hypergrid.environment import HypergridEnvironment, RewardConfig
from zoogen.tasks.hypergrid.judge import ExactJudge
from zoogen.tasks.hypergrid.learner import CohortLearner, ObjectiveConfig, TrajectoryBalanceConfig
from zoogen.tasks.hypergrid.learner import DetailedBalanceConfig as DetailedBalance
from zoogen.tasks.hypergrid.learner import FlowMatchingConfig as FlowMatching
from zoogen.tasks.hypergrid.learner import SubTrajectoryBalanceConfig as SubTrajectoryBalance
from zoogen.tasks.hypergrid.optimiser import OptimiserConfig
from zoogen.tasks.hypergrid.sampling import Trajectories, TrajectorySampler
from zoogen.tasks.hypergrid.structure import HypergridStructure
from zoogen.tasks.hypergrid.task import HypergridTask
from zoogen.tasks.hypergrid.trainer import CohortTrainer
from zoogen.tasks.records import FineTuned, FineTuneSpec, RunSpec

GRID = "2^2"
STEPS = (1, 3, 8)


def task(objective: ObjectiveConfig | None = None, **training: object) -> HypergridTask:
    training = {"objective": objective or TrajectoryBalanceConfig(), "batch_size": 8, **training}
    return HypergridTask(HypergridConfig(training=PolicyTrainingConfig(**training)))


def spec(count: int, steps: tuple[int, ...] = STEPS, structure: str = "3^2") -> FineTuneSpec:
    return FineTuneSpec(structure, tuple(range(50, 50 + count)), steps)


def perfect_policy() -> tuple[HypergridEnvironment, MLPShape, Tensor]:
    """The policy on 2 x 2 that samples exactly in proportion to the reward, with uniform backward policy.

    Rewards are .6 at the origin and .1 elsewhere. Hidden units copy the one-hot state, so logits are sums over it:
    stop has 0, and raising coordinate i has log(flow of the edge / reward of stopping).
    """
    environment = HypergridEnvironment(HypergridStructure(2, 2), RewardConfig(coordinates="x/h"))
    r = {"00": 0.6, "10": 0.1, "11": 0.1}
    flow10 = r["10"] + r["11"] / 2  # the corner has two parents
    at_origin, beside = math.log(flow10 / r["00"]), math.log(r["11"] / 2 / r["10"])
    shape = MLPShape(4, 4, 3)
    weights = {name: torch.zeros(1, *entry) for name, entry in ((e.name, e.shape) for e in shape.layout.entries)}
    weights["dense1.weight"][0] = weights["dense2.weight"][0] = torch.eye(4)
    # input order: x0 = 0, x0 = 1, x1 = 0, x1 = 1; raising x0 looks at x1 and the other way round
    weights["dense3.weight"][0, 0] = torch.tensor([0, 0, at_origin, beside])
    weights["dense3.weight"][0, 1] = torch.tensor([at_origin, beside, 0, 0])
    return environment, shape, shape.layout.flatten(weights)


def sampled(
    environment: HypergridEnvironment, shape: MLPShape, weights: Tensor, batch: int
) -> tuple[CohortLearner, Trajectories]:
    policy = StackedMLP(shape, weights)
    sampler = TrajectorySampler(policy, environment, batch)
    uniforms = sampler.uniforms([seeded_generator(7 + m) for m in range(len(weights))])
    return CohortLearner(TrajectoryBalanceConfig(), environment, policy, None), sampler.sample(uniforms)


def test_log_z_of_a_perfect_policy_is_exact() -> None:
    environment, shape, weights = perfect_policy()
    assert ExactJudge(environment, shape).metrics(weights).js[0] < 1e-7
    learner, trajectories = sampled(environment, shape, weights, 3)
    assert environment.partition == pytest.approx(0.9)
    expected = torch.tensor([math.log(environment.partition)])
    torch.testing.assert_close(learner.estimate_log_z(trajectories), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("rule", ["anywhere", "forced_at_edge"])
def test_log_z_estimate_by_walking_the_trajectories(rule: str) -> None:
    environment = HypergridEnvironment(HypergridStructure(4, 2), RewardConfig(), rule)  # type: ignore[arg-type]
    shape = MLPShape(8, 16, 3)
    learner, trajectories = sampled(environment, shape, 3 * shape.initial([1, 2]), 5)
    rows, expected = trajectories.rows, torch.zeros(2, 5, dtype=torch.float64)
    assert rows is not None
    edge = environment.structure.horizon - 1

    def may_move(state: list[int]) -> bool:
        return rule == "anywhere" or edge not in state

    for m, row in ((m, row) for m in range(2) for row in range(rows.states.shape[1])):
        if not rows.valid[m, row]:
            continue
        trajectory, action = int(rows.slots[m, row]) % 5, int(rows.actions[m, row])
        expected[m, trajectory] -= rows.logits[m, row].double().log_softmax(0)[action]
        if action < 2:
            child = rows.states[m, row].tolist()
            child[action] += 1
            parents = [[x - (i == j) for j, x in enumerate(child)] for i in range(2) if child[i] > 0]
            expected[m, trajectory] -= math.log(sum(may_move(parent) for parent in parents))
    expected += environment.log_reward(trajectories.final).double()
    torch.testing.assert_close(learner.estimate_log_z(trajectories).double(), expected.mean(1), atol=1e-5, rtol=1e-5)


def test_fine_tuning_a_perfect_policy_has_no_loss_and_keeps_it() -> None:
    environment, shape, weights = perfect_policy()
    grid = HypergridConfig(hidden=4, reward=environment.reward, training=task().config.training)
    tuned = HypergridTask(grid).fine_tune(spec(1, structure=GRID), weights)
    assert tuned.training["loss"].max() < 1e-9
    assert (tuned.weights - weights.unsqueeze(1)).abs().max() < 5e-3  # Adam enlarges rounding errors
    assert tuned.training["log_z"][0, 0] == pytest.approx(math.log(0.9), abs=5e-3)


def test_without_a_learning_rate_weights_stay() -> None:
    still = task(optimiser=OptimiserConfig(learning_rate=1e-30))
    start = still.untrained("3^2", 4, seed=1)
    tuned = still.fine_tune(spec(4), start)
    assert torch.equal(tuned.weights, start.unsqueeze(1).expand(-1, len(STEPS), -1))
    assert tuned.steps.tolist() == list(STEPS)


def test_a_learning_rate_of_its_own_is_that_of_the_training() -> None:
    slow, fast = (task(optimiser=OptimiserConfig(learning_rate=rate)) for rate in (1e-3, 1e-2))
    start = slow.untrained("3^2", 2, seed=1)
    wanted = fast.fine_tune(spec(2), start).weights
    assert torch.equal(slow.fine_tune(replace(spec(2), learning_rate=1e-2), start).weights, wanted)
    assert not torch.equal(slow.fine_tune(spec(2), start).weights, wanted)


def test_equal_seeds_and_starts_are_equal_networks() -> None:
    two_rates = task(optimiser=OptimiserConfig(learning_rate=(1e-2, 1e-4)))
    start = two_rates.untrained("3^2", 2, seed=1)
    tuned = two_rates.fine_tune(FineTuneSpec("3^2", (8, 9, 8, 9), STEPS), torch.cat([start, start]))
    assert torch.equal(tuned.weights[:2], tuned.weights[2:])
    for figure in tuned.training.values():
        assert torch.equal(figure[:2], figure[2:])
    assert not torch.equal(tuned.weights[0], tuned.weights[1])


@pytest.mark.parametrize(
    "objective",
    [TrajectoryBalanceConfig(), DetailedBalance(), SubTrajectoryBalance(), FlowMatching()],
    ids=lambda o: o.kind,
)
def test_every_objective_goes_on_learning(objective: ObjectiveConfig) -> None:
    trained = task(objective, optimiser=OptimiserConfig(learning_rate=1e-2), epsilon=0.1)
    start = trained.untrained("3^2", 2, seed=4)
    tuned = trained.fine_tune(spec(2, (300,)), start)
    before, after = (trained.score("3^2", w).metric("exact.js") for w in (start, tuned.weights[:, -1]))
    assert (after < before / 4).all()
    assert ("log_z" in tuned.training) is isinstance(objective, TrajectoryBalanceConfig)


def counts_by_hand(structure: str, batch: int, start: Tensor) -> tuple[float, int]:
    """Mean reward and visited states of the first batch of the policy with seed 50."""
    plain = task()
    sampler = TrajectorySampler(StackedMLP(plain.shape(structure), start[:1]), plain.environment(structure), batch)
    first = sampler.sample(sampler.uniforms([seeded_generator(50)]))
    environment = plain.environment(structure)
    states = (first.final.sum(2) + 1).sum()  # a trajectory to x passes |x| + 1 states
    return float(environment.levels[environment.reward_class(first.final)].mean()), int(states)


def test_rewards_and_visited_states_are_those_of_the_trajectories() -> None:
    start = task().untrained("3^2", 2, seed=3)
    tuned: FineTuned = task().fine_tune(spec(2, (1, 2, 5)), start)
    reward, states = counts_by_hand("3^2", 8, start)
    assert tuned.training["reward"][0, 0].item() == pytest.approx(reward)
    assert tuned.training["states_visited"][0, 0].item() == states
    assert (tuned.training["states_visited"].diff(dim=1) > 0).all()
    truth = ExactJudge(task().environment("3^2"), task().shape("3^2")).truth().flatten()
    states = torch.cartesian_prod(torch.arange(3), torch.arange(3))
    rewards = task().environment("3^2").log_reward(states).exp()
    assert tuned.training["expected_reward"][0, 0].item() == pytest.approx(float((truth * rewards).sum()), rel=1e-5)
    assert (tuned.training["reward"] >= 0.1 - 1e-6).all() and (tuned.training["reward"] <= 2.6).all()


def test_observing_changes_no_bit_of_the_training() -> None:
    config = PolicyTrainingConfig(iterations=12, batch_size=8, checkpoints=3, window=0.5)
    plain = task()
    place = plain.environment("3^2"), plain.shape("3^2"), config, (RunSpec(0, 5, 6), RunSpec(1, 7, 6))
    seen, unseen = CohortTrainer(*place, observe=True).train(), CohortTrainer(*place).train()
    assert torch.equal(seen.weights, unseen.weights)
    assert set(unseen.figures) == {"loss", "log_z"}
    assert all(torch.equal(seen.figures[name], unseen.figures[name]) for name in unseen.figures)


def test_given_weights_and_configured_log_z_are_the_training_from_the_start() -> None:
    config = PolicyTrainingConfig(iterations=6, batch_size=8)
    plain, runs = task(), (RunSpec(0, 5, 6), RunSpec(1, 7, 6))
    place = plain.environment("3^2"), plain.shape("3^2"), config, runs
    start = plain.shape("3^2").initial([6, 6])
    assert torch.equal(CohortTrainer(*place, weights=start).train().weights, CohortTrainer(*place).train().weights)


@pytest.mark.parametrize(
    ("steps", "change", "expected"),
    [
        ((), None, "at least one"),
        ((0, 3), None, "ascend from 1"),
        ((3, 3), None, "ascend from 1"),
        ((3,), slice(0, 1), "needs"),
        ((3,), float("nan"), "not finite"),
    ],
)
def test_what_cannot_be_trained_is_one_line(steps: tuple[int, ...], change: object, expected: str) -> None:
    start = task().untrained("3^2", 2, seed=3).clone()
    if isinstance(change, slice):
        start = start[change]
    elif change is not None:
        start[1, 0] = change  # type: ignore[call-overload]
    with pytest.raises(ZoogenError, match=expected):
        task().fine_tune(spec(2, steps), start)
