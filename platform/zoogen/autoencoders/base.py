"""The contract of autoencoders of weights."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from zoogen.autoencoders.batch import Membership, WeightBatch
from zoogen.autoencoders.scaled_checkpoints import ScaledCheckpoints
from zoogen.weights.target import Target


@dataclass(frozen=True, eq=False)
class ReconstructionLoss:
    """What an autoencoder says of a batch in training.

    Attributes:
        error: squared error of the weights, a scalar.
        penalty: what is added to it whatever counts as error; None where nothing is.
        figures: parts of the loss by name, scalars.
        decoded: the networks as they were decoded, whatever lies behind their own weights; None where the loss looked
            at parts of them.
    """

    error: Tensor
    penalty: Tensor | None = None
    figures: Mapping[str, Tensor] = field(default_factory=dict)
    decoded: WeightBatch | None = None

    @property
    def value(self) -> Tensor:
        """The loss of weights alone."""
        return self.error if self.penalty is None else self.error + self.penalty


class WeightAutoencoder(nn.Module, ABC):
    """Maps scaled weights of networks of any structure it fits to latents [B, L] and back.

    Args:
        latent: latent length L.
        input_noise: standard deviation of Gaussian noise on the weights in training.
        latent_noise: standard deviation of Gaussian noise on the latents in training.
    """

    def __init__(self, latent: int, input_noise: float = 0.0, latent_noise: float = 0.0):
        super().__init__()
        self.latent, self.input_noise, self.latent_noise = latent, input_noise, latent_noise

    @property
    def variational(self) -> bool:
        """Whether latents follow a standard normal distribution as they are, before any standardisation."""
        return False

    @property
    @abstractmethod
    def shape(self) -> Mapping[str, int]:
        """What `build.build_autoencoder` needs beside the configuration to make one of equal parameters."""

    @abstractmethod
    def row_length(self, targets: Iterable[Target]) -> int:
        """Length W of the rows that batches of these structures had best have."""

    @abstractmethod
    def numbers_held(self, target: Target) -> int:
        """Numbers that one pass holds per network of a structure at its widest, about; bounds networks per pass."""

    @abstractmethod
    def require_fits(self, target: Target) -> None:
        """Raises:
        ZoogenError: networks of this structure can be neither encoded nor decoded.
        """

    @abstractmethod
    def encode(self, batch: WeightBatch) -> Tensor:
        """A batch to latents [B, L], without noise."""

    @abstractmethod
    def decode(self, latents: Tensor, membership: Membership) -> WeightBatch:
        """Latents [B, L] to networks of these structures."""

    def prepare(self, rows: ScaledCheckpoints) -> Mapping[str, float]:
        """Fit what has a closed form on all training rows, on this module's device, before any iteration.

        Returns:
            Figures of the fit, `loss` among them where nothing is left to train. Nothing by default.
        """
        return {}

    @abstractmethod
    def loss(self, batch: WeightBatch, generator: torch.Generator) -> ReconstructionLoss:
        """The training loss of a batch; random numbers come from the generator."""


def noise_like(tensor: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal numbers of the shape, device and precision of a tensor."""
    return torch.randn(tensor.shape, generator=generator, device=tensor.device, dtype=tensor.dtype)
