"""From a structure to new weights: a generator of latents with its codec."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from zoogen.autoencoders.codec import WeightCodec
from zoogen.config import parse_config
from zoogen.errors import ZoogenError
from zoogen.generators.base import LatentGenerator, Watch
from zoogen.generators.build import build_generator
from zoogen.generators.config import DiffusionConfig, LatentGeneratorConfig, SamplerSettings
from zoogen.generators.flow.config import FlowConfig
from zoogen.generators.weight_generator import KIND, WeightGenerator, restoring
from zoogen.identity import derive_seed
from zoogen.seeds import seeded_generator
from zoogen.training.state import build_and_load
from zoogen.weights.packing import pack, prefixed, section, unpack
from zoogen.weights.target import Target

_KINDS: dict[str, type[LatentGeneratorConfig]] = {"diffusion": DiffusionConfig, "flow": FlowConfig}
_CHUNK_NUMBERS = 4_000_000  # weights decoded at once: bounds memory to some hundred MB, features included


@dataclass
class LatentWeightGenerator(WeightGenerator):
    """Draws latents and decodes them; its codec is included.

    Attributes:
        model: the trained generator of latents.
    """

    config: LatentGeneratorConfig
    model: LatentGenerator
    codec: WeightCodec
    structures: Sequence[str] = ()
    history: Sequence[Mapping[str, float]] = field(default=())
    seconds: float = 0.0
    digest: str = ""
    task_config: Mapping[str, Any] | None = None

    def generate(
        self,
        target: Target,
        count: int,
        seed: int,
        device: str | torch.device = "cpu",
        sampler: SamplerSettings | None = None,
    ) -> Tensor:
        """New flat weights [count, D] on the CPU; the same seed gives the same weights.

        Noise is drawn on the CPU whatever the device. `sampler` replaces the configured one.

        Raises:
            ZoogenError: the structure does not fit the codec or its condition has the wrong length, or count < 1.
        """
        drawn = self._draw(target, count, seed, device, sampler)
        return torch.cat([self.codec.decode(target, latents).cpu() for latents in drawn])

    def trajectory(
        self,
        target: Target,
        count: int,
        seed: int,
        points: int = 11,
        device: str | torch.device = "cpu",
        sampler: SamplerSettings | None = None,
    ) -> list[tuple[int, Tensor]]:
        """Networks on their way from noise (p-diff Figure 5b): steps done and decoded weights [count, D] on the CPU.

        `points` steps (all, if there are fewer) are evenly spaced; the first is the noise, the last is what
        `generate` makes of the same seed.

        Raises:
            ZoogenError: as `generate`, or points < 2.
        """
        if points < 2:
            raise ZoogenError(f"a trajectory has a first and a last point, not {points}; ask for at least 2")
        last = self.model.steps(sampler)
        parts: dict[int, list[Tensor]] = {round(last * i / (points - 1)): [] for i in range(points)}

        def watch(done: int, latents: Tensor) -> None:
            if done in parts:
                parts[done].append(self.codec.decode(target, latents).cpu())

        for _ in self._draw(target, count, seed, device, sampler, watch):
            pass
        return [(done, torch.cat(chunks)) for done, chunks in parts.items()]

    def _draw(
        self,
        target: Target,
        count: int,
        seed: int,
        device: str | torch.device,
        sampler: SamplerSettings | None,
        watch: Watch | None = None,
    ) -> Iterator[Tensor]:
        """Latents [count, L] in chunks on the device, where model and codec are then, too."""
        if count < 1:
            raise ZoogenError(f"cannot generate {count} networks; ask for at least 1")
        self.codec.require_fits(target)
        self.model.to(device)
        self.codec.to(device)
        condition = torch.tensor(target.condition, dtype=torch.float32)
        row = self.codec.row_length(target)  # by the codec alone, so that a seed means one result
        chunk = max(1, _CHUNK_NUMBERS // row)
        for start in range(0, count, chunk):
            generator = seeded_generator(derive_seed(seed, target.structure, start))
            yield self.model.sample(condition, min(chunk, count - start), generator, sampler, watch)

    def to_bytes(self) -> bytes:
        """Safetensors with JSON metadata, the codec included."""
        codec = torch.frombuffer(bytearray(self.codec.to_bytes()), dtype=torch.uint8)
        tensors = prefixed("model", self.model.state_dict()) | {"codec": codec}
        return pack(KIND, tensors, {**self.metadata(), "condition": self.model.condition})

    @classmethod
    def from_bytes(cls, data: bytes) -> "LatentWeightGenerator":
        """The generator of a byte string made by `to_bytes`, on the CPU.

        Raises:
            DamagedError: damaged data, or data of another kind.
        """
        tensors, metadata = unpack(KIND, data)
        with restoring():
            return cls.restored(tensors, metadata)

    @classmethod
    def restored(cls, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> "LatentWeightGenerator":
        """The generator of what `to_bytes` packed; entries of another form lead to any exception (`restoring`)."""
        codec = WeightCodec.from_bytes(tensors["codec"].numpy().tobytes())
        kind = _KINDS[metadata["config"]["kind"]]
        config = parse_config(kind, metadata["config"], "generator artifact")
        sizes = codec.latent, int(metadata["condition"])
        model = build_and_load(lambda: build_generator(config, *sizes), section("model", tensors), KIND)
        return cls(
            config=config,
            model=model.eval(),
            codec=codec,
            structures=metadata["structures"],
            history=metadata["history"],
            seconds=metadata["seconds"],
            digest=metadata["digest"],
            task_config=metadata.get("task_config"),
        )
