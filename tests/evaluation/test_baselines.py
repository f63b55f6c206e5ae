"""Baselines and novelty against sums worked out with numpy, and by brute force."""

import numpy as np
import pytest
import torch

from zoogen.evaluation.baselines import (
    average_of,
    draw,
    draw_repeated,
    gaussian,
    kernel_density,
    last_of_each_run,
    nearest_rows,
    noisy,
    pca_gaussian,
    random_like,
)
from zoogen.evaluation.novelty import nearest_distance, train_train_distance
from zoogen.weights.layout import ParameterLayout

RUNS = torch.tensor([7, 7, 7, 9, 9, 9, 4, 4, 4])
STEPS = torch.tensor([1, 2, 3, 1, 2, 3, 30, 10, 20])


@pytest.fixture
def weights():
    return torch.randn(9, 5, generator=torch.Generator().manual_seed(3))


def test_draw_never_repeats_and_depends_on_the_seed():
    rows = draw(20, 8, seed=1)
    assert len(set(rows.tolist())) == 8
    assert torch.equal(rows, draw(20, 8, seed=1))
    assert not torch.equal(rows, draw(20, 8, seed=2))
    assert sorted(draw(3, 8, seed=0).tolist()) == [0, 1, 2]


def test_last_of_each_run_goes_by_step_not_by_position():
    assert last_of_each_run(RUNS, STEPS).tolist() == [6, 2, 5]  # runs 4, 7, 9


def test_average_is_a_mean_of_distinct_runs_and_leaves_the_zoo_alone(weights):
    before = weights.clone()
    means = average_of(weights, RUNS, k=3, count=40, seed=0)
    assert torch.equal(weights, before)
    means.zero_()  # new memory: writing to it changes nothing in the zoo
    assert torch.equal(weights, before)
    means = average_of(weights, RUNS, k=3, count=40, seed=0).numpy()
    rows = weights.numpy().astype(np.float64)
    # Every way to take one checkpoint of each of the three runs.
    possible = [(rows[a] + rows[b] + rows[c]) / 3 for a in range(3) for b in range(3, 6) for c in range(6, 9)]
    hits = [int(np.argmin([np.abs(mean - p).max() for p in possible])) for mean in means]
    assert max(np.abs(m - possible[h]).max() for m, h in zip(means, hits, strict=True)) < 1e-6
    assert len(set(hits)) > 10  # drawn anew for each network


def test_average_of_two_never_takes_the_same_run_twice(weights):
    rows = weights.numpy().astype(np.float64)
    across = [(rows[i] + rows[j]) / 2 for i in range(9) for j in range(i) if RUNS[i] != RUNS[j]]
    for mean in average_of(weights, RUNS, k=2, count=60, seed=5).numpy():
        assert min(np.abs(mean - p).max() for p in across) < 1e-6


def test_average_within_a_single_run_and_impossible_average(weights):
    one_run = torch.zeros(9, dtype=torch.int64)
    means = average_of(weights, one_run, k=9, count=2, seed=0)
    np.testing.assert_allclose(means.numpy(), np.tile(weights.numpy().mean(0), (2, 1)), atol=1e-6)
    assert average_of(weights, one_run, k=10, count=2, seed=0) is None


def test_random_has_the_moments_of_each_tensor():
    layout = ParameterLayout.of({"a": (4,), "b": (2, 3)})
    weights = torch.cat([torch.randn(50, 4) * 2 + 5, torch.randn(50, 6) * 0.1 - 1], dim=1)
    drawn = random_like(layout, weights, 20_000, seed=0).numpy()
    for columns in (slice(0, 4), slice(4, 10)):
        truth = weights.numpy()[:, columns]
        assert drawn[:, columns].mean() == pytest.approx(truth.mean(), abs=0.03)
        assert drawn[:, columns].std() == pytest.approx(truth.std(), rel=0.02)
    # Coordinates are independent of one another: no shared offset.
    assert abs(np.corrcoef(drawn[:, 0], drawn[:, 1])[0, 1]) < 0.03


def test_repeated_draws_use_all_rows_equally_often():
    rows = draw_repeated(7, 23, seed=2).tolist()
    assert sorted(rows.count(row) for row in range(7)) == [3, 3, 3, 3, 3, 4, 4]
    assert sorted(rows[:7]) == list(range(7))
    assert rows[:7] != rows[7:14]


def test_gaussian_has_the_moments_of_each_coordinate_and_no_correlation():
    shared = torch.randn(30, 1, generator=torch.Generator().manual_seed(0))
    rows = shared * torch.tensor([1.0, -2.0, 0.5]) + torch.tensor([5.0, 0.0, -3.0])
    drawn = gaussian(rows, 40_000, seed=1).numpy()
    np.testing.assert_allclose(drawn.mean(0), rows.numpy().mean(0), atol=0.04)
    np.testing.assert_allclose(drawn.std(0), rows.numpy().std(0), rtol=0.02)
    assert np.abs(np.corrcoef(drawn.T) - np.eye(3)).max() < 0.02


def test_pca_gaussian_stays_in_the_span_and_has_the_covariance():
    generator = torch.Generator().manual_seed(4)
    directions = torch.linalg.qr(torch.randn(12, 3, generator=generator)).Q.T  # [3, 12], orthonormal
    scores = torch.randn(200, 3, generator=generator) * torch.tensor([3.0, 1.0, 0.1])
    rows = scores @ directions + 2.0
    whole = pca_gaussian(rows, 16, 40_000, seed=0).double()
    basis = directions.double()
    offset = whole - rows.double().mean(0)
    assert (offset - offset @ basis.T @ basis).abs().max() < 1e-5
    # All three components kept: the covariance is that of the rows.
    np.testing.assert_allclose(np.cov(whole.numpy().T), np.cov(rows.numpy().T, bias=True), atol=0.1)
    # One component kept: nothing is left along the other two but what the first one has of them.
    first = np.linalg.svd(rows.numpy() - rows.numpy().mean(0))[2][0]
    line = (pca_gaussian(rows, 1, 50, seed=0) - rows.mean(0)).numpy()
    np.testing.assert_allclose(line, np.outer(line @ first, first), atol=1e-5)


def test_pca_gaussian_of_two_checkpoints_lies_on_their_line():
    rows = torch.tensor([[0.0, 0.0, 1.0], [2.0, 4.0, 1.0]])
    drawn = pca_gaussian(rows, 16, 1000, seed=0).numpy()
    np.testing.assert_allclose(drawn[:, 1], 2 * drawn[:, 0], atol=1e-5)
    np.testing.assert_allclose(drawn[:, 2], 1.0, atol=1e-6)
    assert drawn[:, 0].std() == pytest.approx(1.0, rel=0.1)


def test_noise_is_measured_in_standard_deviations_of_each_tensor():
    layout = ParameterLayout.of({"a": (40,), "b": (20, 3)})
    generator = torch.Generator().manual_seed(6)
    rows = torch.cat([torch.randn(8, 40, generator=generator) * 5, torch.randn(8, 60, generator=generator) * 0.2], 1)
    before = rows.clone()
    order = draw_repeated(8, 400, seed=3)
    small, large = (noisy(layout, rows, scale, 400, seed=3) - rows[order] for scale in (0.05, 0.5))
    for columns in (slice(0, 40), slice(40, 100)):
        std = rows[:, columns].numpy().std()
        assert small[:, columns].numpy().std() == pytest.approx(0.05 * std, rel=0.02)
    # The ladder scales one and the same noise.
    np.testing.assert_allclose(large.numpy(), 10 * small.numpy(), rtol=1e-2, atol=1e-4)
    assert torch.equal(rows, before)


def test_kernel_density_without_width_gives_the_latents_themselves():
    latents = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    drawn = kernel_density(latents, 0.0, 50, seed=1)
    assert {tuple(row) for row in drawn.tolist()} == {tuple(row) for row in latents.tolist()}


def test_kernels_are_independent_over_the_dimensions_and_as_wide_as_asked():
    latents = torch.tensor([[1.0, 10.0, 0.0], [3.0, 50.0, 0.0]])
    drawn = kernel_density(latents, 0.9, 30_000, seed=0)
    nearest = torch.cdist(drawn[:, :1], latents[:, :1]).argmin(1)
    assert set(nearest.tolist()) == {0, 1}
    # In units of the standard deviations 1, 20 and 0.
    np.testing.assert_allclose(drawn.var(0).numpy(), np.array([1.0, 400.0, 0.0]) * (1 + 0.9**2), rtol=0.03)
    noise = kernel_density(
        latents[:1].repeat(2, 1) + torch.tensor([[-1.0, 1.0, 2.0], [1.0, -1.0, -2.0]]), 30.0, 9000, 0
    )
    assert np.abs(np.corrcoef(noise.numpy().T) - np.eye(3)).max() < 0.03  # a shared offset would give 1


def test_nearest_rows_by_brute_force(weights):
    queries = torch.randn(20, 5, generator=torch.Generator().manual_seed(8))
    expected = [int(((weights - query) ** 2).sum(1).argmin()) for query in queries]
    assert nearest_rows(queries, weights).tolist() == expected


def test_nearest_distance_by_brute_force(weights):
    queries = torch.randn(300, 5, generator=torch.Generator().manual_seed(8))
    expected = [
        min(np.sqrt(((q - w) ** 2).mean()) for w in weights.numpy().astype(np.float64))
        for q in queries.numpy().astype(np.float64)
    ]
    np.testing.assert_allclose(nearest_distance(queries, weights).numpy(), expected, rtol=1e-9)
    assert nearest_distance(weights[4:5], weights).item() < 1e-7  # a memorised network


def test_train_train_distance_ignores_the_own_run(weights):
    rows = weights.numpy().astype(np.float64)
    nearest = [
        min(np.sqrt(((rows[i] - rows[j]) ** 2).mean()) for j in range(9) if RUNS[i] != RUNS[j]) for i in range(9)
    ]
    assert train_train_distance(weights, RUNS, seed=0) == pytest.approx(np.median(nearest), rel=1e-9)
    assert train_train_distance(weights, torch.zeros(9), seed=0) is None
