"""Policies convert to torchgfn and back, and mean the same on both sides."""

import itertools

import pytest
import torch
from torch import Tensor, nn

from zoogen.errors import ZoogenError
from zoogen.networks.stacked_mlp import MLPShape, StackedMLP
from zoogen.tasks.hypergrid.environment import HypergridEnvironment, RewardConfig, StopRule
from zoogen.tasks.hypergrid.interop import PolicyMLP, from_torchgfn, to_torchgfn
from zoogen.tasks.hypergrid.judge import ExactJudge
from zoogen.tasks.hypergrid.structure import NAMED, HypergridStructure

pytest.importorskip("gfn")


def environment(horizon: int, dimensions: int, rule: StopRule = "anywhere") -> HypergridEnvironment:
    return HypergridEnvironment(HypergridStructure(horizon, dimensions), RewardConfig(), rule)


def shape_of(env: HypergridEnvironment, hidden: int = 32) -> MLPShape:
    return MLPShape(env.structure.state_size, hidden, env.structure.actions)


def all_states(env: HypergridEnvironment) -> Tensor:
    return torch.tensor(list(itertools.product(range(env.structure.horizon), repeat=env.structure.dimensions)))


def terminating_distribution(env: HypergridEnvironment, logits: Tensor) -> Tensor:
    """p(x) by memoised recursion from logits [h^n, n + 1] in the order of `all_states`; float64."""
    states = [tuple(state) for state in all_states(env).tolist()]
    index = {state: i for i, state in enumerate(states)}
    inflow, result = [0.0] * len(states), [0.0] * len(states)
    inflow[0] = 1.0
    for state in sorted(states, key=sum):
        allowed = env.increment_mask(torch.tensor(state)).tolist() + [True]
        row = logits[index[state]].double().masked_fill(~torch.tensor(allowed), -torch.inf).softmax(0).tolist()
        result[index[state]] = inflow[index[state]] * row[-1]
        for i, permitted in enumerate(allowed[:-1]):
            if permitted:
                child = (*state[:i], state[i] + 1, *state[i + 1 :])
                inflow[index[child]] += inflow[index[state]] * row[i]
    return torch.tensor(result, dtype=torch.float64)


@pytest.mark.parametrize("name", ["A*", "B", "C*", "E*", "F*"])
def test_round_trip_is_exact(name: str) -> None:
    env = environment(*NAMED[name])
    shape = shape_of(env)
    weights = shape.initial([5])[0]
    assert torch.equal(from_torchgfn(to_torchgfn(env, shape, weights).forward), weights)


@pytest.mark.parametrize(("horizon", "dimensions"), [(2, 3), (4, 2), (7, 1), (3, 3)])
def test_logits_equal_on_all_states(horizon: int, dimensions: int) -> None:
    env = environment(horizon, dimensions)
    shape = shape_of(env)
    weights = shape.initial([1])
    policy = to_torchgfn(env, shape, weights[0])
    states = all_states(env)
    one_hot = torch.nn.functional.one_hot(states, horizon).flatten(1).float()
    ours, _ = StackedMLP(shape, weights).forward(one_hot.unsqueeze(0))
    theirs = policy.forward(policy.env.states_from_tensor(states))
    torch.testing.assert_close(theirs, ours[0])


@pytest.mark.parametrize("rule", ["anywhere", "forced_at_edge"])
def test_torchgfn_samples_the_exact_distribution(rule: StopRule) -> None:
    from gfn.samplers import Sampler

    env = environment(4, 2, rule)
    shape = shape_of(env)
    weights = 2.0 * shape.initial([3])[0]
    policy = to_torchgfn(env, shape, weights)
    states, count = all_states(env), 20_000
    with torch.no_grad():
        expected = terminating_distribution(env, policy.forward(policy.env.states_from_tensor(states)))
    judged = ExactJudge(env, shape).distribution(weights.unsqueeze(0))[0]
    torch.testing.assert_close(judged, expected, atol=1e-6, rtol=0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        final = Sampler(policy.forward).sample_trajectories(policy.env, n=count).terminating_states
    counts = torch.bincount(policy.env.get_states_indices(final), minlength=len(states)).double()
    possible = expected > 0
    assert counts[~possible].sum() == 0
    chi_square = ((counts - count * expected).square() / (count * expected))[possible].sum()
    degrees = int(possible.sum()) - 1
    assert float(chi_square) < degrees + 4 * (2 * degrees) ** 0.5


@pytest.mark.parametrize("rule", ["anywhere", "forced_at_edge"])
@pytest.mark.parametrize("name", ["C", "D", "F*", "C*"])
def test_rewards_masks_and_truth_are_ours(name: str, rule: StopRule) -> None:
    env = environment(*NAMED[name], rule)
    policy = to_torchgfn(env, shape_of(env), shape_of(env).initial([0])[0], store_all_states=True)
    states = all_states(env)
    theirs = policy.env.states_from_tensor(states)
    assert torch.equal(policy.env.all_states.tensor, states)
    torch.testing.assert_close(policy.env.log_reward(theirs), env.log_reward(states))
    assert torch.equal(theirs.forward_masks[..., :-1], env.increment_mask(states))
    assert bool(theirs.forward_masks[..., -1].all())
    truth = env.levels[env.reward_class(states)] * env.terminal(states)
    torch.testing.assert_close(policy.env.true_dist().double(), truth / env.partition)


@pytest.mark.parametrize("rule", ["anywhere", "forced_at_edge"])
def test_backward_masks_are_the_edges_walked_forward(rule: StopRule) -> None:
    env = environment(4, 3, rule)
    policy = to_torchgfn(env, shape_of(env), shape_of(env).initial([0])[0])
    states = all_states(env)
    masks = policy.env.states_from_tensor(states).backward_masks
    index = {tuple(state): i for i, state in enumerate(states.tolist())}
    edges = torch.zeros_like(masks)
    for state, allowed in zip(states.tolist(), env.increment_mask(states).tolist(), strict=True):
        for i, permitted in enumerate(allowed):
            if permitted:
                edges[index[(*state[:i], state[i] + 1, *state[i + 1 :])], i] = True
    assert torch.equal(masks, edges)


def test_torchgfns_own_network_converts() -> None:
    from gfn.estimators import DiscretePolicyEstimator
    from gfn.preprocessors import KHotPreprocessor
    from gfn.utils.modules import MLP

    env = environment(4, 2)
    shape = shape_of(env, hidden=16)
    torch.manual_seed(0)
    module = MLP(shape.inputs, shape.outputs, hidden_dim=16, n_hidden_layers=2, activation_fn="leaky_relu")
    estimator = DiscretePolicyEstimator(module, shape.outputs, preprocessor=KHotPreprocessor(4, 2))
    weights = from_torchgfn(estimator)
    x = torch.nn.functional.one_hot(all_states(env), 4).flatten(1).float()
    torch.testing.assert_close(PolicyMLP(shape, weights)(x), module(x))


def test_mistakes_are_named() -> None:
    from gfn.estimators import DiscretePolicyEstimator
    from gfn.preprocessors import KHotPreprocessor, OneHotPreprocessor

    env = environment(3, 2)
    shape = shape_of(env)
    weights = shape.initial([0])[0]
    with pytest.raises(ZoogenError, match="does not fit"):
        to_torchgfn(env, MLPShape(9, 32, 4), torch.zeros(1))
    with pytest.raises(ZoogenError, match="one policy needs"):
        to_torchgfn(env, shape, weights[:-1])
    policy = to_torchgfn(env, shape, weights)
    encoding = OneHotPreprocessor(9, policy.env.get_states_indices)
    with pytest.raises(ZoogenError, match="KHotPreprocessor"):
        from_torchgfn(DiscretePolicyEstimator(PolicyMLP(shape, weights), 3, preprocessor=encoding))
    relu = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
    with pytest.raises(ZoogenError, match="LeakyReLU"):
        from_torchgfn(DiscretePolicyEstimator(relu, 3, preprocessor=KHotPreprocessor(3, 2)))
    short = nn.Sequential(nn.Linear(6, 8), nn.LeakyReLU(), nn.Linear(8, 3))
    with pytest.raises(ZoogenError, match="3, each with a bias"):
        from_torchgfn(DiscretePolicyEstimator(short, 3, preprocessor=KHotPreprocessor(3, 2)))
