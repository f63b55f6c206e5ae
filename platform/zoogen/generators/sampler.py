"""From noise to latents over explicit pairs of time steps: ancestral (DDPM) and implicit (DDIM) steps.

diffusers' schedulers take the time step before t to be t - T // steps, which holds for few grids; where it holds, these
steps give its bits.
"""

import torch
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.generators.config import DiffusionConfig, Prediction, SamplerConfig
from zoogen.generators.noise import visited_time_steps


class Sampler:
    """The reverse steps z_t -> z_s of a diffusion, s being the next visited time step, after the last one z_0.

    Samples are not clipped: standardised latents leave [-1, 1].

    Args:
        config: the diffusion.
        sampler: kind of steps, their number and spacing.

    Attributes:
        time_steps: the time steps t visited, latest first.

    Raises:
        ZoogenError: more steps than the diffusion has.
    """

    def __init__(self, config: DiffusionConfig, sampler: SamplerConfig):
        if sampler.steps > config.timesteps:
            raise ZoogenError(f"sampler.steps {sampler.steps} exceeds the diffusion's {config.timesteps}; lower it")
        self._config, self._prediction = sampler, config.prediction
        noise = (config.timesteps, config.beta_start, config.beta_end)
        self.time_steps = visited_time_steps(sampler.steps, sampler.spacing, *noise)
        betas = torch.linspace(config.beta_start, config.beta_end, config.timesteps)
        kept = (1.0 - betas).cumprod(0)  # in single precision as diffusers does, so that seeds mean the same latents
        clean = torch.ones(())
        after = [*(kept[t] for t in self.time_steps[1:]), clean]
        self._pairs = [(kept[t], before) for t, before in zip(self.time_steps, after, strict=True)]

    def step(self, index: int, latents: Tensor, prediction: Tensor, generator: torch.Generator) -> Tensor:
        """What step `index` makes of latents [B, L], given the denoiser's prediction [B, L] at its time step.

        Noise is drawn from `generator`, which lives on the CPU, whatever the latents' device.
        """
        kept, kept_after = self._pairs[index]
        sample, epsilon = _implied(self._prediction, latents, prediction, kept)
        variance = (1 - kept_after) / (1 - kept) * (1 - kept / kept_after)
        if self._config.kind == "ddim":
            return self._implicit(sample, epsilon, kept_after, variance, generator)
        return self._ancestral(index, sample, latents, generator)

    def _implicit(
        self, sample: Tensor, epsilon: Tensor, kept_after: Tensor, variance: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Song et al. 2021, eq. 12 and 16."""
        std = self._config.eta * variance**0.5
        rest = (1 - kept_after - std**2).clamp_min(0)  # rounding takes it below at eta 1 from nearly pure noise
        after = kept_after**0.5 * sample + rest**0.5 * epsilon
        return after + std * _noise(sample, generator) if self._config.eta > 0 else after

    def _ancestral(self, index: int, sample: Tensor, latents: Tensor, generator: torch.Generator) -> Tensor:
        """Ho et al. 2020, eq. 6 and 7, with alpha_t the product over the step's time steps."""
        kept, kept_after = self._pairs[index]
        alpha = kept / kept_after
        of_sample = (kept_after**0.5 * (1 - alpha)) / (1 - kept)
        of_latents = alpha**0.5 * (1 - kept_after) / (1 - kept)
        mean = of_sample * sample + of_latents * latents
        if index == len(self._pairs) - 1:
            return mean
        variance = (1 - kept_after) / (1 - kept) * (1 - alpha)
        return mean + variance**0.5 * _noise(sample, generator)


def _implied(kind: Prediction, latents: Tensor, prediction: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
    """Sample and noise that a prediction implies, each [B, L]."""
    signal, noise = kept**0.5, (1 - kept) ** 0.5
    if kind == "epsilon":
        return (latents - noise * prediction) / signal, prediction
    if kind == "sample":
        return prediction, (latents - signal * prediction) / noise
    return signal * latents - noise * prediction, signal * prediction + noise * latents


def _noise(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator, dtype=like.dtype).to(like.device)
