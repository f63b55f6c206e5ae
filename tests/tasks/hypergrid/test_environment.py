"""The environment against exact rational arithmetic and brute force."""

import itertools
import math
from fractions import Fraction

import pytest
import torch

from zoogen.tasks.hypergrid.environment import HypergridEnvironment, RewardConfig, StopRule
from zoogen.tasks.hypergrid.structure import HypergridStructure

GRIDS = [(2, 2), (3, 3), (5, 3), (8, 2), (9, 2), (12, 2), (16, 2), (21, 2)]


def environment(h: int, n: int, rule: StopRule = "anywhere", **reward: object) -> HypergridEnvironment:
    return HypergridEnvironment(HypergridStructure(h, n), RewardConfig(**reward), rule)


def all_states(env: HypergridEnvironment) -> torch.Tensor:
    return torch.tensor(list(itertools.product(range(env.structure.horizon), repeat=env.structure.dimensions)))


def rational_reward(x: tuple[int, ...], m: int) -> Fraction:
    """R(x) in exact arithmetic from the printed formula."""
    u = [abs(Fraction(c, m) - Fraction(1, 2)) for c in x]
    reward = Fraction(1, 10)
    if all(v > Fraction(1, 4) for v in u):
        reward += Fraction(1, 2)
    if all(Fraction(3, 10) < v < Fraction(4, 10) for v in u):
        reward += 2
    return reward


@pytest.mark.parametrize("h,n", GRIDS)
@pytest.mark.parametrize("coordinates", ["x/(h-1)", "x/h"])
def test_reward_equals_exact_arithmetic(h: int, n: int, coordinates: str) -> None:
    env = environment(h, n, coordinates=coordinates)
    m = h - 1 if coordinates == "x/(h-1)" else h
    states = all_states(env)
    expected = torch.tensor([float(rational_reward(tuple(x), m)) for x in states.tolist()])
    torch.testing.assert_close(env.log_reward(states).exp(), expected)


@pytest.mark.parametrize("h,n", GRIDS)
@pytest.mark.parametrize("rule", ["anywhere", "forced_at_edge"])
def test_counts_and_partition_equal_enumeration(h: int, n: int, rule: StopRule) -> None:
    env = environment(h, n, rule)
    states = all_states(env)
    terminal = states[env.terminal(states)]
    assert env.terminal_count == len(terminal)
    if rule == "forced_at_edge":
        assert env.terminal_count == (h - 1) ** n + n * (h - 1) ** (n - 1)
    counts = torch.bincount(env.reward_class(terminal), minlength=3)
    assert tuple(counts.tolist()) == env.class_counts
    assert env.partition == pytest.approx(float(env.log_reward(terminal).double().exp().sum()), rel=1e-6)


@pytest.mark.parametrize("name", ["B", "C", "A*", "B*", "E*"])
def test_structures_without_inner_modes(name: str) -> None:
    """METHODS of the field: these grids have no state with R2."""
    env = HypergridEnvironment(HypergridStructure.parse(name), RewardConfig())
    assert env.class_counts[2] == 0
    assert env.mode_class == 1


def test_every_grid_of_the_paper_has_one_mode_region_per_orthant() -> None:
    env = environment(8, 2)
    regions = env.mode_region(all_states(env))
    assert sorted(set(regions[regions >= 0].tolist())) == [0, 1, 2, 3]


@pytest.mark.parametrize("rule", ["anywhere", "forced_at_edge"])
def test_masks_reach_exactly_the_terminal_states(rule: StopRule) -> None:
    env = environment(4, 3, rule)
    frontier, reached, length = {(0, 0, 0)}, {(0, 0, 0)}, 1
    while frontier:
        following = set()
        for state in frontier:
            allowed = env.increment_mask(torch.tensor(state)).tolist()
            following |= {tuple(c + (i == k) for i, c in enumerate(state)) for k, ok in enumerate(allowed) if ok}
        reached |= following
        frontier = following
        length += bool(following)
    states = all_states(env)
    assert reached == {tuple(x) for x in states[env.terminal(states)].tolist()}
    assert length == env.max_length
    assert not math.isnan(env.partition)
