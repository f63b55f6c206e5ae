"""What generators of latents share that are told of the structure: its embedding, hiding it, and guidance."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from zoogen.errors import ZoogenError
from zoogen.generators.base import LatentGenerator
from zoogen.generators.condition import ConditionNormaliser, StructureEncoder
from zoogen.generators.denoiser_config import ConditionConfig


class ConditionedGenerator(LatentGenerator):
    """A generator whose network sees an embedding of the condition, or, where it is hidden, a learnt one of nothing.

    Args:
        latent: latent length L.
        condition: number C of condition numbers.
        config: how the condition enters.
        embedding: width E of its embedding.
    """

    def __init__(self, latent: int, condition: int, config: ConditionConfig, embedding: int):
        super().__init__(latent, condition)
        self.condition_config = config
        self.normaliser = ConditionNormaliser(condition, config.transform)
        self.structure = StructureEncoder(condition, config.width, embedding)

    def learn_to_hide(self, embedding: int) -> None:
        """Make what stands for a hidden condition, where conditions are hidden in training."""
        if self.condition_config.drop:
            self.nothing = nn.Parameter(torch.zeros(embedding))

    def fit_conditions(self, conditions: Tensor) -> None:
        self.normaliser.fit(conditions)

    def embedded(self, conditions: Tensor, hidden: Tensor | None) -> Tensor:
        """Embeddings [B, E] or [1, E] of raw conditions [B, C] or [1, C], hidden where [B] or [1] says so."""
        structure: Tensor = self.structure(self.normaliser(conditions))
        return structure if hidden is None else torch.where(hidden.unsqueeze(1), self.nothing, structure)

    def drawn_hidden(self, count: int, generator: torch.Generator, device: torch.device) -> Tensor | None:
        """Which of a batch's conditions to hide in training, [B]."""
        drop = self.condition_config.drop
        return torch.rand(count, generator=generator, device=device) < drop if drop else None

    def checked(self, condition: Tensor, guidance: float) -> None:
        """Raises:
        ZoogenError: the condition [C] has another length, or guidance was not trained.
        """
        if condition.shape != (self.condition,):
            raise ZoogenError(f"the condition has {condition.numel()} numbers, the generator takes {self.condition}")
        if guidance != 1 and not self.condition_config.drop:
            raise ZoogenError("the generator was trained without condition.drop; set sampler.guidance to 1")

    def weighed(self, network: Callable[[Tensor | None], Tensor], guidance: float, device: torch.device) -> Tensor:
        """What a network says without the condition plus `guidance` times what the condition changes (Ho & Salimans
        2022; of velocities Zheng et al. 2023), the network called with what to hide."""
        known = network(None)
        if guidance == 1:
            return known
        unknown = network(torch.ones(1, dtype=torch.bool, device=device))
        return unknown + guidance * (known - unknown)
