"""Latent denoising diffusion (Ho et al. 2020), conditioned on the structure (GenFlowNet §2.3)."""

import torch
from torch import Tensor, nn

from zoogen.errors import ZoogenError
from zoogen.generators.base import LossAndFigures, Watch
from zoogen.generators.conditioned import ConditionedGenerator
from zoogen.generators.config import DiffusionConfig, SamplerConfig, SamplerSettings
from zoogen.generators.denoisers.build import build_denoiser
from zoogen.generators.sampler import Sampler


class NoiseSchedule(nn.Module):
    """Linear betas and q(z_t | z_0) = N(sqrt(a_t) z_0, (1 - a_t) I) with a_t the running product of 1 - beta.

    Time steps count from 0 to T - 1; step t stands for the paper's t + 1.
    """

    cumulative: Tensor

    def __init__(self, timesteps: int, beta_start: float, beta_end: float):
        super().__init__()
        betas = torch.linspace(beta_start, beta_end, timesteps, dtype=torch.float64)
        self.register_buffer("cumulative", (1 - betas).cumprod(0).float(), persistent=False)

    def coefficients(self, timesteps: Tensor) -> tuple[Tensor, Tensor]:
        """Signal and noise scales (sqrt(a_t), sqrt(1 - a_t)), each [B, 1], of time steps [B]."""
        kept = self.cumulative[timesteps].unsqueeze(1)
        return kept.sqrt(), (1 - kept).sqrt()


class LatentDiffusion(ConditionedGenerator):
    """Predicts the noise (or the sample, or v = sqrt(a) eps - sqrt(1 - a) z_0) of noised latents.

    Args:
        config: schedule, prediction, sizes.
        latent: latent length L.
        condition: number C of condition numbers.
    """

    def __init__(self, config: DiffusionConfig, latent: int, condition: int):
        super().__init__(latent, condition, config.condition, config.denoiser.embedding)
        self.config = config
        self.schedule = NoiseSchedule(config.timesteps, config.beta_start, config.beta_end)
        self.denoiser = build_denoiser(config.denoiser, latent)
        self.learn_to_hide(config.denoiser.embedding)

    def predict(self, noisy: Tensor, timesteps: Tensor, conditions: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Prediction [B, L] for noisy latents [B, L], time steps [B] or [1], raw conditions [B, C] or [1, C], hidden
        where [B] or [1] says so."""
        return self.denoiser(noisy, timesteps, self.embedded(conditions, hidden))

    def guided(self, noisy: Tensor, timesteps: Tensor, conditions: Tensor, guidance: float) -> Tensor:
        """Prediction as `weighed` says."""
        return self.weighed(lambda hidden: self.predict(noisy, timesteps, conditions, hidden), guidance, noisy.device)

    def loss(self, latents: Tensor, conditions: Tensor, generator: torch.Generator) -> LossAndFigures:
        """Mean squared error of the prediction at uniformly drawn time steps (GenFlowNet eq. 3)."""
        device = latents.device
        timesteps = torch.randint(self.config.timesteps, (len(latents),), generator=generator, device=device)
        noise = torch.randn(latents.shape, generator=generator, device=device, dtype=latents.dtype)
        signal_scale, noise_scale = self.schedule.coefficients(timesteps)
        hidden = self.drawn_hidden(len(latents), generator, device)
        prediction = self.predict(signal_scale * latents + noise_scale * noise, timesteps, conditions, hidden)
        wanted = {
            "epsilon": noise,
            "sample": latents,
            "v_prediction": signal_scale * noise - noise_scale * latents,
        }[self.config.prediction]
        error = (prediction.float() - wanted).square().mean(1)
        return (error * self.weight(signal_scale, noise_scale).squeeze(1)).mean(), {}

    def weight(self, signal_scale: Tensor, noise_scale: Tensor) -> Tensor:
        """Weight of the squared error of the prediction.

        With a cap g the error of the sample that the prediction implies counts min(SNR + 1, g), where SNR + 1 is what
        equal weights on v mean (Salimans & Ho 2022), and the cap keeps the smallest noise levels, where any
        prediction is good, from taking over. For epsilon it counts min(SNR, g) (Hang et al. 2023), as weights on
        epsilon would grow without bound otherwise. Without a cap all predictions count 1.
        """
        cap = self.config.snr_cap
        if cap is None:
            return torch.ones_like(signal_scale)
        snr = (signal_scale / noise_scale).square()
        if self.config.prediction == "epsilon":
            return (cap / snr).clamp_max(1)
        if self.config.prediction == "v_prediction":
            return (cap / (snr + 1)).clamp_max(1)
        return (snr + 1).clamp_max(cap)

    def steps(self, sampler: SamplerSettings | None = None) -> int:
        return len(Sampler(self.config, self._sampler(sampler)).time_steps)

    @torch.no_grad()
    def sample(
        self,
        condition: Tensor,
        count: int,
        generator: torch.Generator,
        sampler: SamplerSettings | None = None,
        watch: Watch | None = None,
    ) -> Tensor:
        sampler = self._sampler(sampler)
        self.checked(condition, sampler.guidance)
        device = self.schedule.cumulative.device
        reverse = Sampler(self.config, sampler)
        conditions = condition.to(device).unsqueeze(0)  # one condition serves the whole batch
        latents = torch.randn(count, self.latent, generator=generator).to(device)
        if watch is not None:
            watch(0, latents)
        for done, timestep in enumerate(reverse.time_steps):
            at = torch.full((1,), timestep, device=device)
            latents = reverse.step(done, latents, self.guided(latents, at, conditions, sampler.guidance), generator)
            if watch is not None:
                watch(done + 1, latents)
        return latents

    def _sampler(self, sampler: SamplerSettings | None) -> SamplerConfig:
        """Raises:
        ZoogenError: the settings are those of a flow's solver.
        """
        if sampler is None:
            return self.config.sampler
        if not isinstance(sampler, SamplerConfig):
            raise ZoogenError(f"a diffusion is not sampled by {sampler.kind}; set sampler.kind to ddim or ddpm")
        return sampler
