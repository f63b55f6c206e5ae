"""Samplers against closed forms for every grid of time steps, and against diffusers where its grids are right."""

import math

import pytest
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from tests.generators.toys import SMALL
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.generators.config import DiffusionConfig, Prediction, SamplerConfig
from zoogen.generators.diffusion import LatentDiffusion
from zoogen.generators.noise import Spacing
from zoogen.generators.sampler import Sampler
from zoogen.seeds import seeded

MEAN, STD = 2.0, 0.1
SPACINGS: tuple[Spacing, ...] = ("leading", "trailing", "linspace")
STEPS = (1, 2, 3, 7, 100, 501, 600, 999, 1000)
KINDS = {
    "ddpm": {"kind": "ddpm"},
    "ddim": {"kind": "ddim"},
    "ddim-eta=.5": {"kind": "ddim", "eta": 0.5},
    "ddim-eta=1": {"kind": "ddim", "eta": 1.0},
}


def alpha_bars(config: DiffusionConfig) -> list[float]:
    """The products of 1 - beta over the time steps up to t, at full precision."""
    betas = torch.linspace(config.beta_start, config.beta_end, config.timesteps, dtype=torch.float64)
    return (1 - betas).cumprod(0).tolist()


def exact(config: DiffusionConfig, noisy: Tensor, kept: float) -> Tensor:
    """What the best denoiser of N(MEAN, STD^2) predicts: E[z_0 | z_t] is affine in z_t."""
    signal, noise = math.sqrt(kept), math.sqrt(1 - kept)
    gain = signal * STD**2 / (kept * STD**2 + 1 - kept)
    sample = MEAN + gain * (noisy - signal * MEAN)
    epsilon = (noisy - signal * sample) / noise
    return {"epsilon": epsilon, "sample": sample, "v_prediction": signal * epsilon - noise * sample}[config.prediction]


def drawn(config: DiffusionConfig, sampler: SamplerConfig, count: int) -> tuple[Tensor, Tensor]:
    """Noise and the samples [count, 1] made of it with the exact denoiser."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(count, 1, generator=generator)
    reverse, kept, latents = Sampler(config, sampler), alpha_bars(config), noise
    for index, t in enumerate(reverse.time_steps):
        latents = reverse.step(index, latents, exact(config, latents.double(), kept[t]).float(), generator)
    return noise, latents


def recursion(config: DiffusionConfig, time_steps: list[int], eta: float) -> tuple[float, float, float]:
    """The affine map that the steps are with the exact denoiser: samples are shift + slope noise + N(0, variance).

    Re-derived from q(z_s | z_t, z_0) = N(sqrt(a_s) z_0 + sqrt(1 - a_s - v) eps, v), v = eta^2 times its variance.
    """
    kept = alpha_bars(config)
    shift, slope, variance = 0.0, 1.0, 0.0
    for t, after in zip(time_steps, [*(kept[s] for s in time_steps[1:]), 1.0], strict=True):
        a = kept[t]
        gain = math.sqrt(a) * STD**2 / (a * STD**2 + 1 - a)
        sample = (MEAN * (1 - gain * math.sqrt(a)), gain)
        epsilon = (-math.sqrt(a) * sample[0] / math.sqrt(1 - a), (1 - math.sqrt(a) * gain) / math.sqrt(1 - a))
        added = eta**2 * (1 - after) / (1 - a) * (1 - a / after)
        direction = math.sqrt(max(1 - after - added, 0.0))
        constant, factor = (math.sqrt(after) * sample[k] + direction * epsilon[k] for k in range(2))
        shift, slope, variance = constant + factor * shift, factor * slope, factor**2 * variance + added
    return shift, slope, variance


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("steps", STEPS)
def test_every_grid_draws_what_its_closed_form_says(steps: int, spacing: Spacing, kind: str) -> None:
    config, count = DiffusionConfig(), 4_000
    sampler = SamplerConfig(**KINDS[kind], steps=steps, spacing=spacing)
    noise, latents = drawn(config, sampler, count)
    eta = 1.0 if sampler.kind == "ddpm" else sampler.eta
    shift, slope, variance = recursion(config, Sampler(config, sampler).time_steps, eta)
    if eta == 0:
        torch.testing.assert_close(latents.double(), shift + slope * noise.double(), atol=2e-5, rtol=0)
    spread = math.sqrt(slope**2 + variance)
    assert latents.mean().item() == pytest.approx(shift, abs=5 * spread / math.sqrt(count) + 1e-4)
    assert latents.std().item() == pytest.approx(spread, rel=5 / math.sqrt(2 * count), abs=1e-4)
    # and the closed form itself: right in the mean for all grids, in the spread for the fine ones
    assert shift == pytest.approx(MEAN, abs=0.01)
    assert {True: 0.9, steps < 500: 0.75, steps < 100: 0.0}[True] * STD < spread < STD


@pytest.mark.parametrize("spacing", SPACINGS)
def test_grids_begin_in_noise_and_visit_as_many_time_steps_as_asked(spacing: Spacing) -> None:
    for config in (DiffusionConfig(), DiffusionConfig(timesteps=60, beta_end=0.3)):
        kept = alpha_bars(config)
        for steps in range(1, config.timesteps + 1, 7 if config.timesteps > 100 else 1):
            visited = Sampler(config, SamplerConfig(steps=steps, spacing=spacing)).time_steps
            assert len(visited) == steps and visited == sorted(set(visited), reverse=True)
            assert visited[-1] >= 0 and visited[0] < config.timesteps
            assert math.sqrt(kept[visited[0]]) <= 0.05
            gaps = {a - b for a, b in zip(visited[1:], visited[2:], strict=False)}
            assert not gaps or max(gaps) - min(gaps) <= 1
        whole = Sampler(config, SamplerConfig(steps=config.timesteps, spacing=spacing)).time_steps
        assert whole == list(reversed(range(config.timesteps)))


@pytest.mark.parametrize("prediction", ["epsilon", "sample", "v_prediction"])
@pytest.mark.parametrize(("kind", "steps"), [("ddim", 50), ("ddim-eta=.5", 50), ("ddim", 1000), ("ddpm", 1000)])
def test_numbers_of_steps_that_divide_give_the_bits_of_diffusers(prediction: Prediction, kind: str, steps: int) -> None:
    """The same seed and the same network give the latents that they gave when diffusers took the steps."""
    sampler = SamplerConfig(**KINDS[kind], steps=steps)
    config = DiffusionConfig(prediction=prediction, denoiser=SMALL["mlp"], sampler=sampler)
    with seeded(0):
        model = LatentDiffusion(config, latent=8, condition=2)
    settings = {"beta_start": 1e-4, "beta_end": 2e-2, "prediction_type": prediction, "clip_sample": False}
    scheduler = DDPMScheduler(**settings) if kind == "ddpm" else DDIMScheduler(**settings)
    scheduler.set_timesteps(steps)
    keywords = {} if kind == "ddpm" else {"eta": sampler.eta}
    generator, condition = torch.Generator().manual_seed(3), torch.ones(2)
    latents = torch.randn(4, 8, generator=generator)
    with torch.no_grad():
        for timestep in scheduler.timesteps:
            predicted = model.predict(latents, timestep.unsqueeze(0), condition.unsqueeze(0))
            latents = scheduler.step(predicted, timestep, latents, generator=generator, **keywords).prev_sample
    assert torch.equal(model.sample(condition, 4, torch.Generator().manual_seed(3)), latents)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("prediction", ["epsilon", "sample", "v_prediction"])
def test_little_signal_and_great_jumps_stay_finite(prediction: Prediction, kind: str) -> None:
    """At eta 1 the first of two steps leaves no room for the direction, up to rounding on either side of zero."""
    for config in (
        DiffusionConfig(prediction=prediction),
        DiffusionConfig(prediction=prediction, beta_end=0.1),
        DiffusionConfig(prediction=prediction, timesteps=3, beta_end=0.999, sampler=SamplerConfig(steps=1)),
    ):
        for spacing in SPACINGS:
            sampler = SamplerConfig(**KINDS[kind], steps=2, spacing=spacing)
            assert drawn(config, sampler, 10)[1].isfinite().all()


def test_more_steps_than_the_diffusion_has_are_refused() -> None:
    config = DiffusionConfig(timesteps=20, beta_end=0.7, sampler=SamplerConfig(steps=5))
    with pytest.raises(ZoogenError, match="exceeds the diffusion's 20"):
        Sampler(config, SamplerConfig(steps=21))
