"""A generator with the sampler of the configuration at hand instead of the one it was trained beside."""

from dataclasses import dataclass

from torch import Tensor

from zoogen.generators.config import SamplerConfig
from zoogen.generators.weight_generator import WeightGenerator
from zoogen.weights.target import Target


@dataclass(frozen=True)
class ConfiguredSampler:
    """Generates like `generator`, with `sampler`."""

    generator: WeightGenerator
    sampler: SamplerConfig

    def generate(self, target: Target, count: int, seed: int, device: str) -> Tensor:
        """New weights, [count, D] on the CPU."""
        return self.generator.generate(target, count, seed, device, sampler=self.sampler)

    def trajectory(self, target: Target, count: int, seed: int, points: int, device: str) -> list[tuple[int, Tensor]]:
        """Weights [count, D] after so many denoising steps, about `points` times."""
        return self.generator.trajectory(target, count, seed, points, device, sampler=self.sampler)
