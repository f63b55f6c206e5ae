"""The sampled protocol against dense arithmetic over the whole grid."""

import itertools
import math

import pytest
import torch

from zoogen.networks.stacked_mlp import MLPShape
from zoogen.tasks.hypergrid.environment import HypergridEnvironment, RewardConfig, StopRule
from zoogen.tasks.hypergrid.judge import ExactJudge
from zoogen.tasks.hypergrid.protocol import SampledProtocol
from zoogen.tasks.hypergrid.structure import HypergridStructure


def protocol(h: int, n: int, rule: StopRule, samples: int) -> SampledProtocol:
    env = HypergridEnvironment(HypergridStructure(h, n), RewardConfig(), rule)
    return SampledProtocol(env, MLPShape(env.structure.state_size, 8, env.structure.actions), samples)


@pytest.mark.parametrize("rule", ["anywhere", "forced_at_edge"])
def test_sparse_sums_equal_dense_ones(rule: StopRule) -> None:
    subject = protocol(8, 2, rule, 40)
    env = subject.environment
    samples = subject.perfect_samples(torch.Generator().manual_seed(3))
    metrics = subject.of_samples(samples)
    states = torch.tensor(list(itertools.product(range(8), repeat=2)))
    states = states[env.terminal(states)]
    p = env.log_reward(states).double().exp() / env.partition
    q = torch.tensor([(samples == s).all(1).double().mean() for s in states], dtype=torch.float64)
    m = (p + q) / 2
    js = 0.5 * (torch.xlogy(p, p / m) + torch.xlogy(q, q / m)).sum()
    assert metrics["js"] == pytest.approx(float(js), abs=1e-6)
    assert metrics["kl"] == pytest.approx(float((p * (p / (q + 1e-8)).log()).sum()), abs=1e-5)
    assert metrics["l1"] == pytest.approx(float((p - q).abs().mean()), abs=1e-8)
    assert metrics["mean_reward"] == pytest.approx(float(env.log_reward(samples).double().exp().mean()), abs=1e-6)
    regions = env.mode_region(samples)
    assert metrics["modes"] == len({r for r in regions.tolist() if r >= 0})


@pytest.mark.parametrize("rule", ["anywhere", "forced_at_edge"])
def test_the_perfect_sampler_is_perfect(rule: StopRule) -> None:
    """Pearson's statistic of 200,000 perfect samples stays within 6 standard deviations."""
    subject = protocol(6, 2, rule, 200_000)
    env = subject.environment
    samples = subject.perfect_samples(torch.Generator().manual_seed(0))
    states = torch.tensor(list(itertools.product(range(6), repeat=2)))
    states = states[env.terminal(states)]
    expected = env.log_reward(states).double().exp() / env.partition * len(samples)
    seen = torch.tensor([float((samples == s).all(1).sum()) for s in states], dtype=torch.float64)
    assert seen.sum() == len(samples)
    statistic = float(((seen - expected) ** 2 / expected).sum())
    freedom = len(states) - 1
    assert abs(statistic - freedom) < 6 * math.sqrt(2 * freedom)


def test_rollouts_follow_the_exact_terminating_distribution() -> None:
    """The sampler and the exact judge share no code beyond the network; their distributions agree."""
    subject = protocol(5, 2, "anywhere", 1)
    env, shape = subject.environment, subject.shape
    weights = shape.initial([5]) * 3
    exact = ExactJudge(env, shape).distribution(weights)[0]
    from zoogen.networks.stacked_mlp import StackedMLP
    from zoogen.tasks.hypergrid.sampling import TrajectorySampler

    sampler = TrajectorySampler(StackedMLP(shape, weights), env, 100_000)
    final = sampler.sample(sampler.uniforms([torch.Generator().manual_seed(1)]), keep_rows=False).final[0]
    seen = torch.bincount(final[:, 0] * 5 + final[:, 1], minlength=25).double()
    expected = exact * 100_000
    large = expected > 5
    statistic = float(((seen - expected)[large] ** 2 / expected[large]).sum())
    freedom = int(large.sum())
    assert statistic < freedom + 6 * math.sqrt(2 * freedom)


def test_floors_enclose_what_can_be_learnt() -> None:
    floors = protocol(8, 2, "anywhere", 500).floors(seed=0)
    assert floors["perfect_sampler"]["js"] < floors["untrained"]["js"]
    # at few samples even the perfect sampler reads far from zero: that is what the floor is for
    assert protocol(8, 2, "anywhere", 20).floors(seed=0)["perfect_sampler"]["js"] > 0.2


def test_metrics_of_a_network_depend_on_its_place_and_the_seed_alone() -> None:
    subject = protocol(5, 2, "anywhere", 100)
    weights = subject.shape.initial([1, 2, 3])
    first, again = subject.metrics(weights, seed=4), subject.metrics(weights[:2], seed=4)
    assert torch.equal(first["js"][:2], again["js"])
    assert not torch.equal(first["js"], subject.metrics(weights, seed=5)["js"])


def test_grids_too_large_to_enumerate_are_judged() -> None:
    subject = protocol(30, 9, "anywhere", 200)
    metrics = subject.metrics(subject.shape.initial([0, 1]), seed=0)
    assert torch.isfinite(torch.stack(list(metrics.values()))).all()
    assert (metrics["js"] <= math.log(2) + 1e-9).all()
