"""Novelty, diversity and coverage on points whose distances are known."""

import pytest
import torch
from tests.fakes import FakeTask
from torch import Tensor

from zoogen.evaluation.novelty import (
    behaviour_distances,
    coverage,
    density,
    matched_nearest,
    nearest_distance,
    pairwise_median,
    relative_diversity,
    same_run,
    train_train_distance,
    weight_distances,
)
from zoogen.networks.stacked_mlp import MLPShape
from zoogen.weights.alignment import align, permute
from zoogen.weights.symmetry import linear_chain

SHAPE = MLPShape(8, 12, 3)
LAYOUT = SHAPE.layout
GROUPS = linear_chain(LAYOUT, ("dense1", "dense2", "dense3"))


def line(*points: float) -> Tensor:
    return torch.tensor(points, dtype=torch.float64)[:, None]


def on_line(a: Tensor, b: Tensor) -> Tensor:
    return (a - b.T).abs()


def renumbered(weights: Tensor, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    for group in GROUPS:
        weights = permute(weights, LAYOUT, group, torch.randperm(group.size, generator=generator))
    return weights


def test_weight_distance_is_the_root_mean_square_difference() -> None:
    weights, others = torch.zeros(300, 4), torch.tensor([[2.0, 2, 2, 2], [0, 0, 0, 1]])
    distances = weight_distances(weights, others)  # more rows than are compared at once
    torch.testing.assert_close(distances, torch.tensor([[2.0, 0.5]], dtype=torch.float64).expand(300, 2))
    torch.testing.assert_close(nearest_distance(weights, others), torch.full((300,), 0.5, dtype=torch.float64))


def test_a_renumbered_copy_is_found_in_a_zoo_of_independent_seeds() -> None:
    zoo = SHAPE.initial(list(range(200)))
    copies = renumbered(zoo[[17, 117]], 1)
    plain = nearest_distance(copies, zoo)
    distance, row = matched_nearest(copies, zoo, LAYOUT, GROUPS)
    assert row.tolist() == [17, 117]
    assert (plain > 0.1).all()
    assert (distance < 1e-6).all()


def test_matching_never_makes_the_nearest_farther() -> None:
    weights, zoo = SHAPE.initial(list(range(30))), SHAPE.initial(list(range(100, 140)))
    found = matched_nearest(weights, zoo, LAYOUT, GROUPS, candidates=2)
    assert (found.distance < nearest_distance(weights, zoo)).all()
    aligned = align(weights, zoo[found.row], LAYOUT, GROUPS)
    rms = ((aligned - zoo[found.row]) ** 2).double().mean(1).sqrt()
    torch.testing.assert_close(found.distance, rms)
    # a plain copy stays at zero, and no symmetry means no matching
    assert (matched_nearest(zoo, zoo, LAYOUT, GROUPS).distance < 1e-6).all()
    torch.testing.assert_close(matched_nearest(weights, zoo, LAYOUT, ()).distance, nearest_distance(weights, zoo))


def test_more_candidates_find_what_all_pairs_hold() -> None:
    weights, zoo = SHAPE.initial([1, 2, 3]), SHAPE.initial(list(range(10, 22)))
    pairs = [align(row.expand(12, -1), zoo, LAYOUT, GROUPS) for row in weights]
    every = torch.stack([((moved - zoo).double() ** 2).mean(1).sqrt() for moved in pairs])
    found = matched_nearest(weights, zoo, LAYOUT, GROUPS, candidates=12)
    torch.testing.assert_close(found.distance, every.amin(1))
    assert torch.equal(found.row, every.argmin(1))


def test_checkpoints_of_one_run_are_excluded() -> None:
    zoo, runs = SHAPE.initial([0, 1, 2]).repeat_interleave(2, 0), torch.tensor([0, 0, 1, 1, 2, 2])
    excluded = same_run(runs, runs)
    assert torch.equal(excluded[0], torch.tensor([True, True, False, False, False, False]))
    distance, row = matched_nearest(zoo, zoo, LAYOUT, GROUPS, excluded=excluded)
    assert (runs[row] != runs).all()
    assert (distance > 0.01).all()
    alone = matched_nearest(zoo[:2], zoo[:2], LAYOUT, GROUPS, excluded=excluded[:2, :2])
    assert torch.isinf(alone.distance).all()


def test_train_train_distance_is_between_runs() -> None:
    weights, runs = torch.tensor([[0.0], [0.1], [3.0], [3.1], [10.0]]), torch.tensor([0, 0, 1, 1, 2])
    # nearest of another run: 3, 2.9, 2.9, 3, 6.9
    assert train_train_distance(weights, runs, 0) == pytest.approx(3.0, abs=1e-6)
    assert train_train_distance(weights, torch.zeros(5), 0) is None


def test_behaviour_is_compared_by_total_variation_whatever_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    first = torch.rand(7, 50, generator=torch.Generator().manual_seed(0)).softmax(1)
    second = torch.rand(5, 50, generator=torch.Generator().manual_seed(1)).softmax(1)
    expected = 0.5 * (first[:, None].double() - second[None].double()).abs().sum(2)
    torch.testing.assert_close(behaviour_distances(FakeTask(), first, second), expected)
    monkeypatch.setattr("zoogen.evaluation.novelty._BLOCK_VALUES", 100)
    torch.testing.assert_close(behaviour_distances(FakeTask(), first, second), expected)
    disjoint = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    assert behaviour_distances(FakeTask(), *disjoint).tolist() == [[1.0]]


def test_pairwise_figures_leave_the_diagonal_out() -> None:
    distances = on_line(line(0, 1, 3), line(0, 1, 3))  # 1, 3, 2
    assert pairwise_median(distances) == pytest.approx(2)
    assert pairwise_median(on_line(line(0, 1, 3, 7), line(0, 1, 3, 7))) == pytest.approx(3.5)  # 1 2 3 4 6 7
    assert pairwise_median(distances[:1, :1]) is None


def test_coverage_and_density_on_a_line() -> None:
    real = line(0, 1, 3, 7)  # radii for k = 1: 1, 1, 2, 4
    within = on_line(real, real)
    generated = on_line(line(0.5, 8.0), real)  # .5 is in the balls of 0 and 1, 8 in that of 7
    assert coverage(generated, within, k=1) == pytest.approx(3 / 4)
    assert density(generated, within, k=1) == pytest.approx((2 + 1) / 2)
    # radii for k = 2: 3, 2, 3, 6; .5 is in the balls of 0, 1 and 3, and 8 in that of 7
    assert coverage(generated, within, k=2) == pytest.approx(1)
    assert density(generated, within, k=2) == pytest.approx((3 + 1) / 2 / 2)
    assert coverage(on_line(line(100), real), within, k=1) == 0
    assert density(on_line(line(100), real), within, k=1) == 0


def test_copies_cover_and_a_single_mode_does_not() -> None:
    real = torch.randn(60, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    within = torch.cdist(real, real)
    assert coverage(within, within) == 1
    collapsed = torch.cdist(real[:1].expand(60, -1), real)
    covered = coverage(collapsed, within)
    assert covered is not None and covered < 0.4
    # k is at most the number of the other points: then every ball reaches the farthest one
    assert coverage(within[:1], within, k=500) == 1
    # copies of copies count, although their balls have no extent
    repeated = torch.zeros(4, 4, dtype=torch.float64)
    assert coverage(repeated, repeated, k=2) == 1
    assert coverage(within[:, :1], within[:1, :1]) is None
    assert density(within[:, :1], within[:1, :1]) is None


def test_density_of_the_same_distribution_is_about_one() -> None:
    generator = torch.Generator().manual_seed(1)
    real, generated = torch.randn(2, 400, 2, generator=generator, dtype=torch.float64)
    found = density(torch.cdist(generated, real), torch.cdist(real, real))
    assert found == pytest.approx(1, abs=0.1)


def test_relative_diversity_is_a_share_of_the_norm_and_sees_through_renumbering():
    unrelated = torch.randn(6, LAYOUT.size, generator=torch.Generator().manual_seed(0))
    assert relative_diversity(unrelated, LAYOUT, ()) == pytest.approx(2**0.5, rel=0.1)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    copies = torch.cat([unrelated[:1], permute(unrelated[:1], LAYOUT, GROUPS[0], order[None])])
    assert relative_diversity(copies, LAYOUT, ()) > 0.3
    assert relative_diversity(copies, LAYOUT, GROUPS) == pytest.approx(0, abs=1e-6)
    assert relative_diversity(unrelated[:1], LAYOUT, GROUPS) is None
