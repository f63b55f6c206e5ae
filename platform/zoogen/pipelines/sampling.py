"""A generator with the sampler of the configuration at hand instead of the one it was trained beside."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from zoogen.evaluation.sources import Generator
from zoogen.generators.config import GeneratorConfig, SamplerSettings
from zoogen.generators.latent_weight_generator import LatentWeightGenerator
from zoogen.generators.weight_generator import WeightGenerator
from zoogen.weights.target import Target


def configured(generator: WeightGenerator, config: GeneratorConfig) -> Generator:
    """The generator as this configuration draws from it."""
    if isinstance(generator, LatentWeightGenerator) and config.sampler is not None:
        return ConfiguredSampler(generator, config.sampler)
    return generator


@dataclass(frozen=True)
class ConfiguredSampler:
    """Generates like `generator`, with `sampler`."""

    generator: LatentWeightGenerator
    sampler: SamplerSettings

    @property
    def structures(self) -> Sequence[str]:
        """What the generator was taught."""
        return self.generator.structures

    def generate(self, target: Target, count: int, seed: int, device: str) -> Tensor:
        """New weights, [count, D] on the CPU."""
        return self.generator.generate(target, count, seed, device, sampler=self.sampler)

    def trajectory(self, target: Target, count: int, seed: int, points: int, device: str) -> list[tuple[int, Tensor]]:
        """Weights [count, D] after so many denoising steps, about `points` times."""
        return self.generator.trajectory(target, count, seed, points, device, sampler=self.sampler)
