"""Runs matched before learning: renumbered copies are undone, functions stay, trajectories stay smooth."""

import pytest
import torch
from torch import Tensor

from zoogen.networks.stacked_mlp import MLPShape, StackedMLP
from zoogen.weights.alignment import permute
from zoogen.weights.symmetry import linear_chain
from zoogen.weights.target import Target
from zoogen.zoo.aligned import aligned, find_alignment
from zoogen.zoo.read import CheckpointSet

SHAPE = MLPShape(6, 12, 3)
GROUPS = linear_chain(SHAPE.layout, ("dense1", "dense2", "dense3"))
TARGET = Target("s", "S", SHAPE.layout, (0.0,))


def runs_of(count: int, steps: int, noise: float, shuffle: bool) -> tuple[CheckpointSet, Tensor]:
    """Runs around one network, each numbered in its own way if `shuffle`; and the weights before that."""
    generator = torch.Generator().manual_seed(0)
    centre = SHAPE.initial([7])[0]
    drift = torch.randn(len(centre), generator=generator) * 0.01
    own = noise * torch.randn(count, 1, len(centre), generator=generator)
    weights = centre + own + drift * torch.arange(steps).view(1, -1, 1)
    original = weights.flatten(0, 1).clone()
    if shuffle:
        for group in GROUPS:
            for run in range(count):
                order = torch.randperm(group.size, generator=generator)
                weights[run] = permute(weights[run], SHAPE.layout, group, order)
    runs = torch.arange(count).repeat_interleave(steps)
    rows = CheckpointSet(TARGET, weights.flatten(0, 1), runs, torch.arange(steps).repeat(count), {}, 1.0)
    return rows, original


def test_renumbered_runs_are_as_near_as_before_they_were_renumbered() -> None:
    rows, original = runs_of(20, 4, noise=0.02, shuffle=True)
    found = find_alignment(rows, GROUPS)
    moved = aligned(rows, found)

    def spread(weights: Tensor) -> float:
        last = weights.reshape(20, 4, -1)[:, -1].double()
        return float((last - last.mean(0)).square().mean(1).sqrt().mean())

    assert found.before == pytest.approx(spread(rows.weights)) and found.after == pytest.approx(spread(moved.weights))
    assert spread(moved.weights) == pytest.approx(spread(original), rel=1e-6)
    assert spread(moved.weights) < 0.2 * found.before
    assert found.runs.tolist() == list(range(20)) and "20 runs aligned" in found.line()


def test_functions_stay_and_every_run_is_renumbered_as_a_whole() -> None:
    rows, _ = runs_of(6, 5, noise=0.3, shuffle=True)
    moved = aligned(rows, find_alignment(rows, GROUPS))
    inputs = torch.randn(30, 8, 6, generator=torch.Generator().manual_seed(1))
    before, after = (StackedMLP(SHAPE, weights).forward(inputs)[0] for weights in (rows.weights, moved.weights))
    torch.testing.assert_close(before, after)
    assert not torch.equal(rows.weights, moved.weights)
    for weights, other in ((rows.weights, moved.weights),):
        steps, others = weights.view(6, 5, -1).diff(dim=1), other.view(6, 5, -1).diff(dim=1)
        assert torch.equal(steps.sort(-1).values, others.sort(-1).values), "the same steps in another order"
    assert torch.equal(moved.runs, rows.runs) and torch.equal(moved.steps, rows.steps)


def test_other_splits_are_matched_to_the_training_runs() -> None:
    rows, original = runs_of(10, 2, noise=0.02, shuffle=True)
    train, other = rows.take(rows.runs < 8), rows.take(rows.runs >= 8)
    found = find_alignment(train, GROUPS)
    distance = (aligned(other, found).last().weights - found.reference).norm(dim=1)
    assert (distance < 0.3 * (other.last().weights - found.reference).norm(dim=1)).all()


def test_without_symmetries_and_with_one_run_nothing_moves() -> None:
    rows, _ = runs_of(3, 2, noise=0.1, shuffle=True)
    nothing = find_alignment(rows, ())
    assert aligned(rows, nothing) is rows and nothing.before == nothing.after and "nothing is" in nothing.line()
    single = rows.take(rows.runs == 1)
    assert torch.equal(aligned(single, find_alignment(single, GROUPS)).weights, single.weights)


def test_the_same_runs_are_matched_in_the_same_way_each_time() -> None:
    rows, _ = runs_of(7, 2, noise=0.3, shuffle=True)
    first, second = find_alignment(rows, GROUPS), find_alignment(rows, GROUPS)
    assert torch.equal(aligned(rows, first).weights, aligned(rows, second).weights)


def test_the_spread_falls_from_round_to_round() -> None:
    rows, _ = runs_of(30, 1, noise=0.5, shuffle=True)
    spreads = [find_alignment(rows, GROUPS, rounds).after for rounds in range(6)]
    assert spreads == sorted(spreads, reverse=True) and spreads[0] == find_alignment(rows, GROUPS).before
    assert spreads[-1] < spreads[1] < spreads[0]
    final = find_alignment(rows, GROUPS)
    assert find_alignment(aligned(rows, final), GROUPS).before == pytest.approx(final.after)
