"""The contract of generators of latents."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from zoogen.generators.config import SamplerSettings

LossAndFigures = tuple[Tensor, Mapping[str, Tensor]]
Watch = Callable[[int, Tensor], None]  # (steps done, latents [count, L]), which are not to be changed


class LatentGenerator(nn.Module, ABC):
    """Learns standardised latents [B, L] given conditions [B, C], and draws new ones.

    Conditions are the raw numbers of `Target.condition`; normalising them is the generator's own business.

    Args:
        latent: latent length L.
        condition: number C of condition numbers.
    """

    def __init__(self, latent: int, condition: int):
        super().__init__()
        self.latent, self.condition = latent, condition

    @abstractmethod
    def fit_conditions(self, conditions: Tensor) -> None:
        """Take what normalising needs from the training structures' conditions [K, C], before training."""

    @abstractmethod
    def loss(self, latents: Tensor, conditions: Tensor, generator: torch.Generator) -> LossAndFigures:
        """Training loss on latents [B, L] with their conditions [B, C]."""

    @abstractmethod
    def steps(self, sampler: SamplerSettings | None = None) -> int:
        """Steps from noise to latents."""

    @abstractmethod
    def sample(
        self,
        condition: Tensor,
        count: int,
        generator: torch.Generator,
        sampler: SamplerSettings | None = None,
        watch: Watch | None = None,
    ) -> Tensor:
        """Draw latents [count, L] for one condition [C].

        `generator` lives on the CPU whatever the device, so that a seed means the same noise everywhere; `sampler`
        replaces the configured one; `watch` sees the noise (0 steps done) and what every step makes of it.
        """
