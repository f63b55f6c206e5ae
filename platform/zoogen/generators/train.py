"""Training a generator on the latents of checkpoints."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from zoogen.autoencoders.codec import WeightCodec
from zoogen.errors import ZoogenError
from zoogen.generators.base import LatentGenerator, LossAndFigures
from zoogen.generators.build import build_generator
from zoogen.generators.config import LatentGeneratorConfig
from zoogen.generators.latent_weight_generator import LatentWeightGenerator
from zoogen.identity import derive_seed
from zoogen.seeds import seeded
from zoogen.training.hooks import LoopHooks
from zoogen.training.loop import fit
from zoogen.zoo.read import CheckpointSet


def train_generator(
    config: LatentGeneratorConfig,
    codec: WeightCodec,
    train: Sequence[CheckpointSet],
    *,
    seed: int,
    device: str | torch.device = "cpu",
    hooks: LoopHooks | None = None,
    digest: str = "",
    compile: bool | str = False,
    task_config: Mapping[str, Any] | None = None,
) -> LatentWeightGenerator:
    """Fit a conditional generator to the codec's latents of the training checkpoints.

    Args:
        config: what to train, and how.
        codec: the trained codec; it is not changed.
        train: checkpoints to learn from.
        seed: seed of initial parameters, batches and noise.
        device: where to train; the generator is returned on the CPU.
        hooks: logging, checkpoints, workers.
        digest: identity of the artifact, kept in it.
        compile: train through `torch.compile`; a text names its backend.
        task_config: resolved configuration of the task whose networks they are, kept in the artifact.

    Raises:
        ZoogenError: no checkpoints, conditions of different lengths, or a structure that the codec does not fit.
    """
    train = [checkpoints for checkpoints in train if len(checkpoints.weights)]
    if not train:
        raise ZoogenError("the generator has no training checkpoints; raise zoo.runs or the share of the split")
    sizes = {len(checkpoints.target.condition) for checkpoints in train}
    if len(sizes) > 1:
        raise ZoogenError(f"structures have conditions of different lengths {sorted(sizes)}; train one task at a time")
    for checkpoints in train:
        if not all(math.isfinite(number) for number in checkpoints.target.condition):
            raise ZoogenError(f"the condition of structure {checkpoints.target.label} has numbers that are not finite")
    codec.to(device)
    latents = torch.cat([codec.encode(s.target, s.weights) for s in train])
    codec.to("cpu")
    distinct = torch.tensor([s.target.condition for s in train], dtype=torch.float32)
    conditions = distinct.repeat_interleave(torch.tensor([len(s.weights) for s in train]), dim=0).to(device)

    with seeded(derive_seed(seed, "generator", "parameters")):
        model = build_generator(config, codec.latent, sizes.pop())
    model.fit_conditions(distinct)

    def sample_batch(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        rows = torch.randint(len(latents), (count,), generator=generator, device=latents.device)
        return latents[rows], conditions[rows]

    result = fit(
        GeneratorObjective(model),
        sample_batch,
        config.loop,
        seed=derive_seed(seed, "generator", "loop"),
        device=device,
        hooks=hooks,
        compile=compile,
    )
    model.to("cpu")
    structures = [s.target.structure for s in train]
    return LatentWeightGenerator(config, model, codec, structures, result.history, result.seconds, digest, task_config)


class GeneratorObjective(nn.Module):
    """The generator's loss on a batch of latents [B, L] and conditions [B, C]."""

    def __init__(self, model: LatentGenerator):
        super().__init__()
        self.model = model

    def forward(self, batch: tuple[Tensor, Tensor], generator: torch.Generator) -> LossAndFigures:
        latents, conditions = batch
        return self.model.loss(latents, conditions, generator)
