"""Latent diffusion against closed forms: forward marginals, optimal denoisers, conditions."""

import pytest
import torch
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.generators.build import build_generator
from zoogen.generators.condition import ConditionNormaliser
from zoogen.generators.config import DiffusionConfig, SamplerConfig
from zoogen.generators.denoiser_config import UNetConfig
from zoogen.generators.denoisers.unet import ConditionalUNet1d
from zoogen.generators.diffusion import LatentDiffusion, NoiseSchedule
from zoogen.generators.train import GeneratorObjective
from zoogen.seeds import seeded
from zoogen.training.config import AdamWConfig, EmaConfig, LoopConfig, ScheduleConfig
from zoogen.training.loop import fit

UNET = UNetConfig(channels=(2, 4), middle=64, embedding=16)
PREDICTIONS = ("epsilon", "sample", "v_prediction")


def test_forward_marginals_are_those_of_the_chain() -> None:
    """q(z_t | z_0) in closed form against t single steps of q(z_t | z_t-1) = N(sqrt(1 - beta_t) z_t-1, beta_t)."""
    schedule = NoiseSchedule(1000, 1e-4, 2e-2)
    betas = torch.linspace(1e-4, 2e-2, 1000, dtype=torch.float64)
    mean, variance = 1.0, 0.0
    for t, beta in enumerate(betas.tolist()):
        mean, variance = mean * (1 - beta) ** 0.5, variance * (1 - beta) + beta
        signal, noise = schedule.coefficients(torch.tensor([t]))
        assert signal.item() == pytest.approx(mean, rel=1e-5)
        assert noise.item() ** 2 == pytest.approx(variance, rel=1e-3)


class Gaussian(LatentDiffusion):
    """The optimal denoiser of N(mean, std^2 I): E[z_0 | z_t] = mean + a s^2 (z_t - a mean) / (a^2 s^2 + 1 - a^2)."""

    mean, std = 1.5, 0.7

    def predict(self, noisy: Tensor, timesteps: Tensor, conditions: Tensor, hidden: Tensor | None = None) -> Tensor:
        signal, noise = self.schedule.coefficients(timesteps)
        gain = signal * self.std**2 / (signal**2 * self.std**2 + noise**2)
        sample = self.mean + gain * (noisy - signal * self.mean)
        epsilon = (noisy - signal * sample) / noise
        return {"epsilon": epsilon, "sample": sample, "v_prediction": signal * epsilon - noise * sample}[
            self.config.prediction
        ]


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize(
    "sampler",
    [
        SamplerConfig(kind="ddpm", steps=1000),
        SamplerConfig(kind="ddim", steps=100),
        SamplerConfig(kind="ddim", steps=100, eta=1.0),
        SamplerConfig(kind="ddim", steps=200, spacing="trailing"),
    ],
    ids=lambda sampler: f"{sampler.kind}-{sampler.eta:g}-{sampler.spacing}",
)
def test_samplers_recover_a_gaussian(prediction: str, sampler: SamplerConfig) -> None:
    model = Gaussian(DiffusionConfig(prediction=prediction, denoiser=UNET), latent=8, condition=2)
    latents = model.sample(torch.ones(2), 2000, torch.Generator().manual_seed(0), sampler)
    assert latents.mean().item() == pytest.approx(Gaussian.mean, abs=0.03)
    assert latents.std().item() == pytest.approx(Gaussian.std, rel=0.05)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_loss_of_the_optimal_denoiser_is_its_posterior_variance(prediction: str) -> None:
    """E|z_0 - E[z_0 | z_t]|^2 = s^2 (1 - a^2) / (a^2 s^2 + 1 - a^2), weighted, averaged over t."""
    for cap in (None, 10.0):
        config = DiffusionConfig(prediction=prediction, denoiser=UNET, snr_cap=cap)
        model = Gaussian(config, latent=8, condition=2)
        generator = torch.Generator().manual_seed(0)
        latents = Gaussian.mean + Gaussian.std * torch.randn(40_000, 8, generator=generator)
        loss, _ = model.loss(latents, torch.ones(40_000, 2), generator)
        kept = model.schedule.cumulative.double()
        variance = Gaussian.std**2 * (1 - kept) / (kept * Gaussian.std**2 + 1 - kept)
        snr = kept / (1 - kept)
        relative = {"epsilon": snr, "sample": torch.ones_like(snr), "v_prediction": snr + 1}[prediction]
        weight = relative if cap is None else (snr if prediction == "epsilon" else snr + 1).clamp_max(cap)
        assert loss.item() == pytest.approx((weight * variance).mean().item(), rel=0.02)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_two_conditions_two_clusters(prediction: str) -> None:
    """Each condition's samples fall into its own cluster, with the cluster's mean and spread."""
    generator = torch.Generator().manual_seed(0)
    conditions = torch.tensor([[64.0, 16, 4, 8], [36.0, 6, 6, 6]])
    means, spread = 1.5 * torch.randn(2, 16, generator=generator), 0.5
    config = DiffusionConfig(prediction=prediction, denoiser=UNetConfig(channels=(4, 8), middle=128, embedding=32))
    with seeded(0):
        model = build_generator(config, latent=16, condition=4)
    model.fit_conditions(conditions)

    def sample_batch(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        which = torch.randint(2, (count,), generator=generator)
        return means[which] + spread * torch.randn(count, 16, generator=generator), conditions[which]

    loop = LoopConfig(
        iterations=800,
        batch_size=128,
        optimiser=AdamWConfig(lr=5e-3),
        schedule=ScheduleConfig(kind="cosine", warmup=20),
        ema=EmaConfig(decay=0.99, warmup=True),
    )
    fit(GeneratorObjective(model), sample_batch, loop, seed=0)
    for condition, mean, other in zip(conditions, means, means.flip(0), strict=True):
        latents = model.sample(condition, 200, torch.Generator().manual_seed(1))
        assert ((latents - mean).norm(dim=1) < (latents - other).norm(dim=1)).all()
        assert (latents.mean(0) - mean).square().mean().sqrt() < 0.25
        assert latents.std(0).mean().item() == pytest.approx(spread, rel=0.3)


def test_conditions_are_normalised_by_distinct_training_structures() -> None:
    normaliser = ConditionNormaliser(2, "log")
    conditions = torch.tensor([[1.0, 5.0], [3.0, 5.0], [3.0, 5.0], [3.0, 5.0]])
    normaliser.fit(conditions)
    normalised = normaliser(conditions)
    mean, half = torch.tensor([2.0, 4.0]).log().mean(), torch.tensor(2.0).log() / 2
    torch.testing.assert_close(normalised[:, 0], (conditions[:, 0].log1p() - mean) / half)
    assert torch.equal(normalised[:, 1], torch.zeros(4))  # equal everywhere: shifted, not scaled


def test_one_condition_serves_a_batch() -> None:
    model = LatentDiffusion(DiffusionConfig(denoiser=UNET), latent=8, condition=2)
    assert isinstance(model.denoiser, ConditionalUNet1d)
    torch.nn.init.normal_(model.denoiser.last.weight)
    noisy, conditions = torch.randn(5, 8), torch.tensor([[3.0, 4.0]])
    together = model.predict(noisy, torch.tensor([7]), conditions)
    apart = model.predict(noisy, torch.full((5,), 7), conditions.expand(5, 2))
    torch.testing.assert_close(together, apart)


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(ZoogenError, match="no multiple"):
        build_generator(DiffusionConfig(denoiser=UNET), latent=10, condition=2)
    with pytest.raises(ValueError, match="exceeds timesteps"):
        DiffusionConfig(timesteps=10)
    model = LatentDiffusion(DiffusionConfig(denoiser=UNET), latent=8, condition=2)
    with pytest.raises(ZoogenError, match="exceeds the diffusion's 1000"):
        model.sample(torch.ones(2), 1, torch.Generator(), SamplerConfig(steps=1001))
    with pytest.raises(ZoogenError, match="has 3 numbers, the generator takes 2"):
        model.sample(torch.ones(3), 1, torch.Generator())
