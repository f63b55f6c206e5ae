"""What a task offers to models that write weights token by token and are taught by behaviour."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.weights.layout import ParameterLayout
from zoogen.weights.tokens import WeightTokens, row_tokens


class TaughtTask(ABC):
    """The part of `Task` that says what weights stand for and what networks do."""

    name: str

    @abstractmethod
    def layout(self, structure: str) -> ParameterLayout: ...

    def tokens(self, structure: str, arrangement: int = 0) -> WeightTokens:
        """How flat weights of this structure are tokens with coordinates; by default the rows of all tensors.

        Features [T, F] have the same F and the same meaning in every structure of the task.

        Args:
            arrangement: 0, or another way to say the same where a structure has interchangeable parts (a grid's
                dimensions), which then carry other numbers of those that the coordinates have.

        Raises:
            ZoogenError: the structure lies beyond what the coordinates can express.
        """
        return row_tokens(self.layout(structure))

    def probe(self, structure: str, weights: Tensor | None, count: int, seed: int, device: str = "cpu") -> Tensor:
        """Inputs [count, ...] at which networks are compared, in random order: visited states of the policies
        [K, D], training images. Without weights those of the task's optimum, where it has one (`optimal`).

        Raises:
            ZoogenError: the task has none.
        """
        raise self._lacks("no inputs to compare networks at")

    def outputs(self, structure: str, weights: Tensor, inputs: Tensor) -> Tensor:
        """Log-probabilities [K, count, A] of what networks [K, D] choose, differentiable in the weights and on their
        device.

        Args:
            inputs: [count, ...] for all networks alike, or [K, count, ...] for each its own.

        Raises:
            ZoogenError: the task has none.
        """
        raise self._lacks("no outputs that are probabilities")

    def optimal(self, structure: str, inputs: Tensor) -> Tensor | None:
        """Probabilities [count, A] of a perfect network at inputs [count, ...], found without training; None where
        there is no such thing."""
        return None

    def choices(self, structure: str) -> float:
        """Choices that make one object, on average: by the chain rule, the divergence of what two networks make is at
        most so many times that of one choice. 1 where a network answers once."""
        return 1.0

    def aligned(self, structure: str, seeds: list[int], arrangement: int = 0) -> Tensor:
        """Initial weights [K, D], one network per seed, such that the same seed means the same in every structure.

        Args:
            arrangement: as for `tokens`: interchangeable parts that carry a number have that number's weights.

        Raises:
            ZoogenError: the task has no such initialisation.
        """
        raise self._lacks("no initialisation that is aligned across structures")

    @abstractmethod
    def untrained(self, structure: str, count: int, seed: int) -> Tensor: ...

    def sources(self, structure: str, seeds: list[int], arrangement: int = 0) -> Tensor:
        """Initial weights [K, D], one network per seed, that generated ones may start from: the task's own
        initialisation, or an aligned one where it has that."""
        return torch.cat([self.untrained(structure, 1, seed) for seed in seeds])

    def _lacks(self, what: str) -> ZoogenError:
        return ZoogenError(f"the task {self.name} has {what}")
