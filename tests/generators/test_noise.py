"""Noise schedules: what they leave of the signal, and which of them sampling could not begin from."""

import pytest
import torch
from pydantic import ValidationError

from zoogen.generators.config import DiffusionConfig, SamplerConfig
from zoogen.generators.diffusion import NoiseSchedule
from zoogen.generators.noise import signal_left

ONE_STEP = SamplerConfig(steps=1)


@pytest.mark.parametrize(("timesteps", "beta_end"), [(1000, 0.02), (10, 0.9), (2000, 0.02)])
def test_signal_left_is_that_of_the_schedule_trained_on(timesteps: int, beta_end: float) -> None:
    schedule = NoiseSchedule(timesteps, 1e-4, beta_end)
    for t in (0, timesteps // 2, timesteps - 1):
        signal, _ = schedule.coefficients(torch.tensor([t]))
        assert signal_left(t, timesteps, 1e-4, beta_end) == pytest.approx(signal.item(), rel=1e-5)


@pytest.mark.parametrize(("timesteps", "left"), [(2, "0.99"), (10, "0.95"), (100, "0.6"), (590, "0.051")])
def test_schedules_that_leave_signal_are_refused(timesteps: int, left: str) -> None:
    with pytest.raises(ValidationError, match=rf"{left} of the signal is left after timesteps {timesteps} .*; raise "):
        DiffusionConfig(timesteps=timesteps, sampler=ONE_STEP)


def test_schedules_beyond_single_precision_are_refused() -> None:
    with pytest.raises(ValidationError, match="lower beta_end or timesteps"):
        DiffusionConfig(beta_end=0.5)


@pytest.mark.parametrize(("timesteps", "beta_end"), [(600, 0.02), (100, 0.2), (10, 0.9), (4000, 0.02)])
def test_schedules_that_end_in_noise_are_taken(timesteps: int, beta_end: float) -> None:
    assert DiffusionConfig(timesteps=timesteps, beta_end=beta_end, sampler=ONE_STEP).beta_end == beta_end
