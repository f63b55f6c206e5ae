"""Straight paths: their ends, their spread, their speed."""

import pytest
import torch

from zoogen.generators.flow.path import StraightPath
from zoogen.seeds import seeded_generator


def test_a_path_leads_from_start_to_latent_at_constant_speed() -> None:
    starts, latents = torch.randn(5, 3), torch.randn(5, 3)
    path, generator = StraightPath(), seeded_generator(0)
    torch.testing.assert_close(path.points(starts, latents, torch.zeros(5), generator), starts)
    torch.testing.assert_close(path.points(starts, latents, torch.ones(5), generator), latents)
    before, after = (path.points(starts, latents, torch.full((5,), t), generator) for t in (0.3, 0.4))
    torch.testing.assert_close((after - before) / 0.1, path.velocities(starts, latents), rtol=1e-4, atol=1e-5)


def test_noise_around_a_path_has_its_deviation_everywhere() -> None:
    starts, latents = torch.zeros(20_000, 2), torch.ones(20_000, 2)
    for t in (0.0, 0.5, 1.0):
        points = StraightPath(0.2).points(starts, latents, torch.full((20_000,), t), seeded_generator(1))
        assert points.mean().item() == pytest.approx(t, abs=0.005)
        assert points.std().item() == pytest.approx(0.2, rel=0.02)
