"""The exact judge against brute force over trajectories' probabilities, in float64."""

import itertools
import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import leaky_relu, linear

from zoogen.errors import ZoogenError
from zoogen.networks.stacked_mlp import MLPShape
from zoogen.tasks.hypergrid.environment import HypergridEnvironment, RewardConfig, StopRule
from zoogen.tasks.hypergrid.judge import ExactJudge, grid_levels
from zoogen.tasks.hypergrid.structure import HypergridStructure


def brute_force(env: HypergridEnvironment, shape: MLPShape, flat: Tensor) -> Tensor:
    """p_θ by dynamic programming over a dictionary of states, one state at a time."""
    h, n = env.structure.horizon, env.structure.dimensions
    w = {name: tensor.double() for name, tensor in shape.layout.unflatten(flat).items()}
    flow, stopped = {(0,) * n: 1.0}, {}
    for state in sorted(itertools.product(range(h), repeat=n), key=sum):
        mass = flow.get(state, 0.0)
        x = torch.zeros(n * h, dtype=torch.float64)
        for i, j in enumerate(state):
            x[i * h + j] = 1
        hidden = leaky_relu(linear(x, w["dense1.weight"], w["dense1.bias"]), shape.slope)
        hidden = leaky_relu(linear(hidden, w["dense2.weight"], w["dense2.bias"]), shape.slope)
        logits = linear(hidden, w["dense3.weight"], w["dense3.bias"]).tolist()
        at_edge = any(c == h - 1 for c in state)
        allowed = [c < h - 1 and not (env.stop_rule == "forced_at_edge" and at_edge) for c in state] + [True]
        exponentials = [math.exp(v) if ok else 0.0 for v, ok in zip(logits, allowed, strict=True)]
        for i in range(n):
            if allowed[i]:
                child = state[:i] + (state[i] + 1,) + state[i + 1 :]
                flow[child] = flow.get(child, 0.0) + mass * exponentials[i] / sum(exponentials)
        stopped[state] = mass * exponentials[n] / sum(exponentials)
    return torch.tensor([stopped[s] for s in itertools.product(range(h), repeat=n)], dtype=torch.float64)


def judged(
    h: int, n: int, rule: StopRule, memory_gib: float = 2.0
) -> tuple[HypergridEnvironment, MLPShape, ExactJudge]:
    env = HypergridEnvironment(HypergridStructure(h, n), RewardConfig(), rule)
    shape = MLPShape(env.structure.state_size, 8, env.structure.actions)
    return env, shape, ExactJudge(env, shape, memory_gib)


@pytest.mark.parametrize("h,n", [(2, 1), (5, 1), (4, 2), (3, 3), (4, 3)])
@pytest.mark.parametrize("rule", ["anywhere", "forced_at_edge"])
def test_distribution_and_metrics_equal_brute_force(h: int, n: int, rule: StopRule) -> None:
    env, shape, judge = judged(h, n, rule)
    weights = shape.initial([1, 2, 3]) * 3  # far from uniform
    expected = torch.stack([brute_force(env, shape, w) for w in weights])
    torch.testing.assert_close(judge.distribution(weights), expected, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(expected.sum(1), torch.ones(3, dtype=torch.float64))
    p, metrics = judge.truth(), judge.metrics(weights)
    assert p.sum() == pytest.approx(1)
    support = p > 0
    for k, q in enumerate(expected):
        pairs = list(zip(p[support].tolist(), q[support].tolist(), strict=True))
        js = 0.5 * sum(a * math.log(2 * a / (a + b)) + (b * math.log(2 * b / (a + b)) if b else 0) for a, b in pairs)
        assert float(metrics.js[k]) == pytest.approx(js, abs=1e-6)
        assert float(metrics.kl[k]) == pytest.approx(sum(a * math.log(a / b) for a, b in pairs), abs=1e-5)
        assert float(metrics.tv[k]) == pytest.approx(0.5 * sum(abs(a - b) for a, b in pairs), abs=1e-6)
        reward = sum(b * a * env.partition for a, b in pairs)
        assert float(metrics.expected_reward[k]) == pytest.approx(reward, abs=1e-5)


def test_modes_count_orthants_that_hold_half_their_mass() -> None:
    env, shape, judge = judged(8, 2, "anywhere")
    weights = shape.initial([0, 1])
    states = torch.cartesian_prod(torch.arange(8), torch.arange(8))
    regions, truth = env.mode_region(states), judge.truth()
    for k, q in enumerate(judge.distribution(weights)):
        masses = [(float(q[regions == r].sum()), float(truth[regions == r].sum())) for r in range(4)]
        assert int(judge.metrics(weights).modes[k]) == sum(learnt >= 0.5 * true for learnt, true in masses)


def test_a_uniform_policy_on_the_smallest_grid_in_closed_form() -> None:
    """All weights zero: every allowed action is equally likely; on 2^2 the distribution is 1/3, 1/6, 1/6, 1/3."""
    env, shape, judge = judged(2, 2, "anywhere")
    q = judge.distribution(torch.zeros(1, shape.layout.size))[0]
    torch.testing.assert_close(q, torch.tensor([1 / 3, 1 / 6, 1 / 6, 1 / 3], dtype=torch.float64))
    assert float(judge.metrics(torch.zeros(1, shape.layout.size)).tv) == pytest.approx(1 / 6)


def test_chunks_by_memory_change_nothing() -> None:
    env, shape, judge = judged(4, 3, "anywhere")
    weights = shape.initial(list(range(7)))
    whole = judge.metrics(weights)
    judge.models_at_once = 2
    torch.testing.assert_close(judge.metrics(weights).js, whole.js)


def test_levels_list_parents_within_the_level_before() -> None:
    structure = HypergridStructure(4, 3)
    levels = grid_levels(structure)
    for level in range(1, len(levels.bounds) - 1):
        before = levels.states[levels.bounds[level - 1] : levels.bounds[level]].tolist()
        for row in range(levels.bounds[level], levels.bounds[level + 1]):
            for i in range(3):
                parent = levels.states[row].tolist()
                parent[i] -= 1
                index = int(levels.parents[row, i])
                assert (index == len(before)) if parent[i] < 0 else before[index] == parent


def test_the_largest_grids_of_the_paper_fit_and_larger_ones_say_so() -> None:
    for name in ("D*", "H*"):
        structure = HypergridStructure.parse(name)
        assert ExactJudge.capacity(structure, MLPShape(structure.state_size, 32, structure.actions), 2.0) >= 16
    with pytest.raises(ZoogenError, match="too many for the exact judge"):
        judged(20, 8, "anywhere")
