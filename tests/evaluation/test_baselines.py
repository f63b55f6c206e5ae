"""Baselines and novelty against sums worked out with numpy, and by brute force."""

import numpy as np
import pytest
import torch

from zoogen.evaluation.baselines import average_of, draw, last_of_each_run, random_like
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
