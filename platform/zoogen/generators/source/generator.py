"""From sources to weights: a generator that knows any structure by the coordinates of its weights."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from zoogen.config import parse_config
from zoogen.errors import ZoogenError
from zoogen.generators.source.config import SourceConfig
from zoogen.generators.source.network import SourceNetwork
from zoogen.generators.source.sources import Sources
from zoogen.generators.weight_generator import KIND, WeightGenerator
from zoogen.identity import derive_seed
from zoogen.seeds import seeded_generator
from zoogen.tasks.base import Task
from zoogen.training.state import build_and_load
from zoogen.weights.packing import pack, prefixed, section
from zoogen.weights.target import Target

_CHUNK_NUMBERS = 16_000_000  # features of tokens held at once: bounds memory to some hundred MB


@dataclass
class SourceWeightGenerator(WeightGenerator):
    """Adds to sources what the network says.

    Attributes:
        network: the trained network.
        task: makes sources and coordinates.
    """

    config: SourceConfig
    network: SourceNetwork
    task: Task
    structures: Sequence[str] = ()
    history: Sequence[Mapping[str, float]] = field(default=())
    seconds: float = 0.0
    digest: str = ""
    task_config: Mapping[str, Any] | None = None
    codec: None = None

    @torch.no_grad()
    def generate(self, target: Target, count: int, seed: int, device: str | torch.device = "cpu") -> Tensor:
        """As the contract says. A seed means the same sources in every structure; with `draws: fixed` there is one
        source, so that all networks are equal."""
        if count < 1:
            raise ZoogenError(f"cannot generate {count} networks; ask for at least 1")
        config = self.config
        sources = self._sources(target.structure).to(device)
        self.network.to(device)
        if config.draws == "fixed":
            return self._written(sources, fixed_numbers(config.styles)).expand(count, -1).clone()
        chunk = max(1, _CHUNK_NUMBERS // (len(sources.tokens) * max(config.width, sources.tokens.width)))
        # drawn network by network, so that a network of a seed does not depend on how many are asked for
        numbers = [torch.randn(config.styles, generator=_generator(seed, k)) for k in range(count)]
        return torch.cat([self._written(sources, torch.stack(part)) for part in _chunks(numbers, chunk)])

    def _written(self, sources: Sources, numbers: Tensor) -> Tensor:
        """Networks [K, D] on the CPU of the numbers [K, S] of their sources."""
        starts = sources.drawn(numbers.to(sources.styles.device))
        return sources.tokens.scatter(self.network([sources.tokens.features], [starts])[0]).cpu()

    def _sources(self, structure: str) -> Sources:
        sources = Sources.of(self.task, structure, self.config.styles, self.config.amplitude)
        tokens, made_for = sources.tokens, (self.network.features, self.network.token)
        if (tokens.features.shape[1], tokens.width) != made_for:
            raise ZoogenError(
                f"the generator is for tokens of {made_for[1]} numbers with {made_for[0]} coordinates, the task's have "
                f"{tokens.width} with {tokens.features.shape[1]}; train it again with this task and version"
            )
        return sources

    def to_bytes(self) -> bytes:
        """Safetensors with JSON metadata."""
        sizes = {"features": self.network.features, "numbers": self.network.token}
        return pack(KIND, prefixed("network", self.network.state_dict()), {**self.metadata(), **sizes})

    @classmethod
    def restored(
        cls, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any], task: Task
    ) -> "SourceWeightGenerator":
        """The generator of what `to_bytes` packed; entries of another form lead to any exception (`restoring`)."""
        config = parse_config(SourceConfig, metadata["config"], "generator artifact")
        sizes = int(metadata["features"]), int(metadata["numbers"])
        network = build_and_load(lambda: SourceNetwork.of(config, *sizes), section("network", tensors), KIND)
        return cls(
            config=config,
            network=network.eval(),
            task=task,
            structures=metadata["structures"],
            history=metadata["history"],
            seconds=metadata["seconds"],
            digest=metadata["digest"],
            task_config=metadata.get("task_config"),
        )


def fixed_numbers(styles: int) -> Tensor:
    """The numbers [1, S] of the one source of a generator without fresh draws."""
    return torch.randn(1, styles, generator=_generator(0, "fixed"))


def _generator(seed: int, network: int | str) -> torch.Generator:
    return seeded_generator(derive_seed("source", seed, network))


def _chunks(numbers: list[Tensor], size: int) -> Iterator[list[Tensor]]:
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]
