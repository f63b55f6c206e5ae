"""From sources to weights: a generator that knows any structure by the coordinates of its weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from zoogen.config import parse_config
from zoogen.errors import ZoogenError
from zoogen.generators.source.config import SourceConfig
from zoogen.generators.source.network import SourceNetwork
from zoogen.generators.weight_generator import KIND, WeightGenerator
from zoogen.identity import derive_seed
from zoogen.tasks.base import Task
from zoogen.training.state import build_and_load
from zoogen.weights.packing import pack, prefixed, section
from zoogen.weights.target import Target
from zoogen.weights.tokens import WeightTokens

FIXED_SOURCE = 0  # seed of the one source of a generator without fresh draws
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
        tokens = self._tokens(target.structure).to(device)
        self.network.to(device)
        fixed = self.config.draws == "fixed"
        seeds = [FIXED_SOURCE] if fixed else [derive_seed("source", seed, k) for k in range(count)]
        chunk = max(1, _CHUNK_NUMBERS // (len(tokens) * max(self.config.width, tokens.width)))
        made = []
        for start in range(0, len(seeds), chunk):
            source = self.task.aligned(target.structure, seeds[start : start + chunk]).to(device)
            change = self.network(tokens.features, tokens.gather(source))
            made.append((source + tokens.scatter(change)).cpu())
        weights = torch.cat(made)
        return weights.expand(count, -1).clone() if fixed else weights

    def _tokens(self, structure: str) -> WeightTokens:
        tokens = self.task.tokens(structure)
        made_for = (self.network.features, self.network.numbers)
        if (tokens.features.shape[1], tokens.width) != made_for:
            raise ZoogenError(
                f"the generator is for tokens of {made_for[1]} numbers with {made_for[0]} coordinates, the task's have "
                f"{tokens.width} with {tokens.features.shape[1]}; train it again with this task and version"
            )
        return tokens

    def to_bytes(self) -> bytes:
        """Safetensors with JSON metadata."""
        sizes = {"features": self.network.features, "numbers": self.network.numbers}
        return pack(KIND, prefixed("network", self.network.state_dict()), {**self.metadata(), **sizes})

    @classmethod
    def restored(
        cls, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any], task: Task
    ) -> "SourceWeightGenerator":
        """The generator of what `to_bytes` packed; entries of another form lead to any exception (`restoring`)."""
        config = parse_config(SourceConfig, metadata["config"], "generator artifact")
        sizes = int(metadata["features"]), int(metadata["numbers"])
        network = build_and_load(
            lambda: SourceNetwork(*sizes, config.width, config.blocks), section("network", tensors), KIND
        )
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
