"""Divergences against scipy's, whole and in parts."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from zoogen.tasks.divergences import clipped_at_zero, divergence_terms


def test_they_are_scipys_and_add_up_over_parts() -> None:
    generator = np.random.default_rng(0)
    p, q = generator.dirichlet(np.ones(40)), generator.dirichlet(np.ones(40), size=3)
    q[:, :5], p[5:8] = 0, 0  # no mass in one, or in the other
    p[:5] = 0
    p, q = p / p.sum(), q / q.sum(1, keepdims=True)
    whole = clipped_at_zero(divergence_terms(torch.tensor(p), torch.tensor(q)))
    parts = [
        divergence_terms(torch.tensor(p[part]), torch.tensor(q[:, part])) for part in (slice(0, 11), slice(11, 40))
    ]
    for name, values in whole.items():
        torch.testing.assert_close(values, sum(part[name] for part in parts))
    for k in range(3):
        assert float(whole["js"][k]) == pytest.approx(jensenshannon(p, q[k]) ** 2)
        assert float(whole["kl"][k]) == pytest.approx(entropy(p, q[k]))
        assert float(whole["tv"][k]) == pytest.approx(np.abs(p - q[k]).sum() / 2)


def test_equal_distributions_are_not_below_zero() -> None:
    p = torch.rand(10_000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    p /= p.sum()
    assert all(0 <= float(values) < 1e-12 for values in clipped_at_zero(divergence_terms(p, p.unsqueeze(0))).values())
