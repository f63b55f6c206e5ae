"""Latent conditional flow matching (Lipman et al. 2023; FLoWN §2.1), conditioned on the structure."""

import torch
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.generators.base import LossAndFigures, Watch
from zoogen.generators.conditioned import ConditionedGenerator
from zoogen.generators.config import SamplerSettings
from zoogen.generators.denoisers.build import build_denoiser
from zoogen.generators.flow.config import AdaptiveStepsConfig, FixedStepsConfig, FlowConfig, SolverConfig
from zoogen.generators.flow.coupling import within_conditions
from zoogen.generators.flow.path import StraightPath
from zoogen.generators.flow.solver import integrate, steps_of

_TIME_SCALE = 1000.0  # times from 0 to 1 as the networks know time steps


class LatentFlow(ConditionedGenerator):
    """A velocity field v(x, t, condition) from standard normal starts to latents.

    Args:
        config: paths, coupling, sizes.
        latent: latent length L.
        condition: number C of condition numbers.
    """

    def __init__(self, config: FlowConfig, latent: int, condition: int):
        super().__init__(latent, condition, config.condition, config.field.embedding)
        self.config, self.path = config, StraightPath(config.sigma)
        self.field = build_denoiser(config.field, latent)
        self.learn_to_hide(config.field.embedding)

    def velocity(self, points: Tensor, times: Tensor, conditions: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Velocities [B, L] at points [B, L], times [B] or [1] from 0 to 1, raw conditions [B, C] or [1, C], hidden
        where [B] or [1] says so."""
        return self.field(points, times * _TIME_SCALE, self.embedded(conditions, hidden))

    def loss(self, latents: Tensor, conditions: Tensor, generator: torch.Generator) -> LossAndFigures:
        """Mean squared error of the velocity at uniformly drawn times (conditional flow matching)."""
        device = latents.device
        times = torch.rand(len(latents), generator=generator, device=device, dtype=latents.dtype)
        starts = torch.randn(latents.shape, generator=generator, device=device, dtype=latents.dtype)
        if self.config.coupling == "within-condition":
            starts = starts[within_conditions(starts, latents, conditions)]
        hidden = self.drawn_hidden(len(latents), generator, device)
        points = self.path.points(starts, latents, times, generator)
        error = self.velocity(points, times, conditions, hidden).float() - self.path.velocities(starts, latents)
        return error.square().mean(), {}

    def steps(self, sampler: SamplerSettings | None = None) -> int:
        return steps_of(self._solver(sampler))

    @torch.no_grad()
    def sample(
        self,
        condition: Tensor,
        count: int,
        generator: torch.Generator,
        sampler: SamplerSettings | None = None,
        watch: Watch | None = None,
    ) -> Tensor:
        starts = torch.randn(count, self.latent, generator=generator).to(self.normaliser.mean.device)
        points = self.carried(starts, condition, sampler)
        for done, latents in enumerate(points) if watch is not None else ():
            watch(done, latents)  # type: ignore[misc]
        return points[-1]

    def carried(
        self,
        starts: Tensor,
        condition: Tensor,
        sampler: SamplerSettings | None = None,
        *,
        gradients: bool = False,
    ) -> Tensor:
        """Points [steps + 1, B, L] on the way of starts [B, L] for one condition [C].

        With `gradients` they can be differentiated by parameters and starts: tuning through the flow.

        Raises:
            ZoogenError: the condition has another length, guidance was not trained, or the flow diverges.
        """
        solver = self._solver(sampler)
        self.checked(condition, solver.guidance)
        conditions = condition.to(starts.device).unsqueeze(0)  # one condition serves the whole batch

        def velocity(time: Tensor, points: Tensor) -> Tensor:
            at = time.reshape(1)
            return self.weighed(
                lambda hidden: self.velocity(points, at, conditions, hidden), solver.guidance, points.device
            )

        return integrate(velocity, starts, solver, gradients=gradients)

    def _solver(self, sampler: SamplerSettings | None) -> SolverConfig:
        """Raises:
        ZoogenError: the settings are those of a diffusion's sampler.
        """
        if sampler is None:
            return self.config.sampler
        if not isinstance(sampler, FixedStepsConfig | AdaptiveStepsConfig):
            raise ZoogenError(f"a flow is not sampled by {sampler.kind}; set sampler.kind to euler, midpoint or dopri5")
        return sampler
