"""How much of the signal a linear noise schedule leaves, and which of its time steps a sampler visits."""

import math
from typing import Literal

Spacing = Literal["leading", "trailing", "linspace"]

MOST_SIGNAL = 0.05  # sqrt(alpha_bar) where sampling may begin: it begins with noise alone, as if nothing were left
LEAST_SIGNAL = 1e-15  # below, alpha_bar and its quotients leave what float32 can hold


def signal_left(timestep: int, timesteps: int, beta_start: float, beta_end: float) -> float:
    """sqrt(alpha_bar) at time step t of 0 … T - 1: the scale of the latents in q(z_t | z_0) (Ho et al. 2020, eq. 4)."""
    growth = (beta_end - beta_start) / max(timesteps - 1, 1)
    return math.exp(math.fsum(math.log1p(-(beta_start + growth * t)) for t in range(timestep + 1)) / 2)


def visited_time_steps(steps: int, spacing: Spacing, timesteps: int, beta_start: float, beta_end: float) -> list[int]:
    """Time steps of 0 … T - 1 that a sampler visits, latest first (Lin et al. 2024, Table 2).

    `leading` begins at 0 and ends before T, `trailing` ends at T - 1, `linspace` does both; gaps differ by at most one
    whether `steps` divides T or not. Sampling begins with noise alone, so where the latest time step would still hold
    signal (a few leading steps, one step of linspace), T - 1 stands in its place.
    """
    if spacing == "leading":
        grid = [i * timesteps // steps for i in reversed(range(steps))]
    elif spacing == "trailing":
        grid = [timesteps - 1 - i * timesteps // steps for i in range(steps)]
    else:
        gaps = max(steps - 1, 1)
        grid = [(2 * i * (timesteps - 1) + gaps) // (2 * gaps) for i in reversed(range(steps))]
    if signal_left(grid[0], timesteps, beta_start, beta_end) > MOST_SIGNAL:
        grid[0] = timesteps - 1
    return grid
