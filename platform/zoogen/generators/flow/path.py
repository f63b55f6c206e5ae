"""Paths from a start to a latent: straight lines, with or without noise around them."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class StraightPath:
    """x_t ~ N((1 - t) x_0 + t x_1, sigma²), whose conditional velocity is x_1 - x_0 (Tong et al. 2024, eq. 14 and 15).

    Attributes:
        sigma: standard deviation of the noise around the line.
    """

    sigma: float = 0.0

    def points(self, starts: Tensor, latents: Tensor, times: Tensor, generator: torch.Generator) -> Tensor:
        """Points [B, L] at times [B] on the ways from starts [B, L] to latents [B, L]."""
        t = times.unsqueeze(1)
        points = (1 - t) * starts + t * latents
        if self.sigma == 0:
            return points
        noise = torch.randn(points.shape, generator=generator, device=points.device, dtype=points.dtype)
        return points + self.sigma * noise

    def velocities(self, starts: Tensor, latents: Tensor) -> Tensor:
        """What the velocity is taught, [B, L]; the same at all times."""
        return latents - starts
