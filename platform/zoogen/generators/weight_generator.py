"""The contract of generators of weights, whatever they work in."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from zoogen.autoencoders.codec import WeightCodec
from zoogen.errors import DamagedError
from zoogen.generators.config import GeneratorConfig
from zoogen.weights.target import Target

KIND = "generator"  # what an artifact of any of them says that it holds
FORMAT = 1  # raise when entries of artifacts come to mean something else


class WeightGenerator(ABC):
    """Generates flat weights for a structure; self-contained.

    One that shows its networks on their way from noise has a method `trajectory`, too.

    Attributes:
        config: configuration that made it.
        codec: weights to latents and back, None for a generator that works on weights themselves.
        structures: canonical names of the training structures.
        history: logged figures of the training.
        seconds: training time.
        digest: identity of the artifact.
        task_config: the resolved configuration of the task whose networks it makes, so that it serves without a study;
            None where it was made without saying.
    """

    config: GeneratorConfig
    codec: WeightCodec | None
    structures: Sequence[str]
    history: Sequence[Mapping[str, float]]
    seconds: float
    digest: str
    task_config: Mapping[str, Any] | None

    @abstractmethod
    def generate(self, target: Target, count: int, seed: int, device: str | torch.device = "cpu") -> Tensor:
        """New flat weights [count, D] on the CPU; the same seed gives the same weights.

        Random numbers are drawn on the CPU whatever the device.

        Raises:
            ZoogenError: the structure is beyond what the generator can express, or count < 1.
        """

    @abstractmethod
    def to_bytes(self) -> bytes:
        """Safetensors with JSON metadata, of which `zoogen.generators.stored.read_generator` makes it again."""

    def metadata(self) -> dict[str, Any]:
        """What every artifact says of its generator, JSON-like."""
        return {
            "config": self.config.model_dump(mode="json"),
            "structures": list(self.structures),
            "history": [dict(figures) for figures in self.history],
            "seconds": self.seconds,
            "digest": self.digest,
            "format": FORMAT,
            **({} if self.task_config is None else {"task_config": dict(self.task_config)}),
        }


@contextmanager
def restoring() -> Iterator[None]:
    """Whatever entries of another form lead to while a generator is made of an artifact is a `DamagedError`."""
    try:
        yield
    except DamagedError:
        raise
    except Exception as error:
        raise DamagedError(f"{type(error).__name__}: {error}", f"the {KIND}") from None
