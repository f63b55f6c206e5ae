"""Teaching a source generator by what its networks do."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zoogen.errors import ZoogenError
from zoogen.generators.base import LossAndFigures
from zoogen.generators.source.config import SourceConfig
from zoogen.generators.source.generator import FIXED_SOURCE, SourceWeightGenerator
from zoogen.generators.source.network import SourceNetwork
from zoogen.identity import derive_seed
from zoogen.seeds import seeded
from zoogen.tasks.base import Task
from zoogen.teaching.lessons import Lessons, divergence, lessons_of_optimum, lessons_of_zoo
from zoogen.training.hooks import LoopHooks
from zoogen.training.loop import fit
from zoogen.weights.tokens import WeightTokens
from zoogen.zoo.read import CheckpointSet

_MOST_SEEDS = 2**31


def train_source_generator(
    config: SourceConfig,
    task: Task,
    structures: Sequence[str],
    train: Sequence[CheckpointSet] = (),
    *,
    seed: int,
    device: str | torch.device = "cpu",
    hooks: LoopHooks | None = None,
    digest: str = "",
    compile: bool | str = False,
) -> SourceWeightGenerator:
    """Fit a network that turns sources into weights to a teacher's choices.

    Args:
        config: what to train, and how.
        task: makes sources, coordinates, inputs and outputs.
        structures: canonical names of what is taught.
        train: checkpoints whose choices are learnt, with `teacher: zoo`; more structures than are taught do no harm.
        seed: seed of initial parameters, lessons, sources and batches.
        device: where to train; the generator is returned on the CPU.
        hooks: logging, checkpoints, workers.
        digest: identity of the artifact, kept in it.
        compile: train through `torch.compile`; a text names its backend.

    Raises:
        ZoogenError: nothing is taught, a structure has no checkpoints, or the task lacks what this needs (tokens,
            probes, outputs, aligned sources, or an optimum for `teacher: exact`).
    """
    if not structures:
        raise ZoogenError("the generator has no structures to learn; give zoo.structures or generator.structures")
    begin = time.perf_counter()
    lessons = [lesson.to(device) for lesson in _lessons(config, task, structures, train, seed, str(device))]
    taught = [_Taught(lesson, task.tokens(lesson.target.structure).to(device)) for lesson in lessons]
    features = torch.cat([item.tokens.features for item in taught])
    with seeded(derive_seed(seed, "source", "parameters")):
        network = SourceNetwork(features.shape[1], taught[0].tokens.width, config.width, config.blocks)
    network.fit_features(features.cpu())

    def sample_batch(count: int, generator: torch.Generator) -> list[_Exercise]:
        chosen = torch.randint(len(taught), (count,), generator=generator, device=generator.device)
        seeds = torch.randint(_MOST_SEEDS, (count,), generator=generator, device=generator.device)
        return [
            _exercise(config, task, taught[item], source, generator)
            for item, source in zip(chosen.tolist(), seeds.tolist(), strict=True)
        ]

    result = fit(
        SourceObjective(network, task, config.penalty),
        sample_batch,
        config.loop,
        seed=derive_seed(seed, "source", "loop"),
        device=device,
        hooks=hooks,
        compile=compile,
    )
    seconds = time.perf_counter() - begin
    network.to("cpu")
    return SourceWeightGenerator(
        config, network, task, list(structures), result.history, seconds, digest, task.resolved()
    )


@dataclass(frozen=True)
class _Taught:
    """A structure that is taught, on the device."""

    lessons: Lessons
    tokens: WeightTokens


@dataclass(frozen=True)
class _Exercise:
    """One source of a structure, [1, D], with inputs [S, ...] and what the teacher chooses there, [S, A]."""

    structure: str
    tokens: WeightTokens
    source: Tensor
    inputs: Tensor
    choices: Tensor


def _lessons(
    config: SourceConfig, task: Task, structures: Sequence[str], train: Sequence[CheckpointSet], seed: int, device: str
) -> list[Lessons]:
    seeds = {name: derive_seed(seed, "source", "lessons", name) for name in structures}
    if config.teacher == "exact":
        return [lessons_of_optimum(task, task.target(name), config.pool, seeds[name]) for name in structures]
    learnt = {part.target.structure: part for part in train if len(part)}
    if missing := [task.label(name) for name in structures if name not in learnt]:
        raise ZoogenError(
            f"the generator has no training checkpoints of {missing[0]}; add it to zoo.structures, or set "
            "generator.teacher to exact"
        )
    return [lessons_of_zoo(task, learnt[name], config.pool, seeds[name], device) for name in structures]


def _exercise(config: SourceConfig, task: Task, item: _Taught, seed: int, generator: torch.Generator) -> _Exercise:
    lessons, device = item.lessons, generator.device
    rows = torch.randint(len(lessons), (config.states,), generator=generator, device=device)
    name = lessons.target.structure
    source = task.aligned(name, [FIXED_SOURCE if config.draws == "fixed" else seed]).to(device)
    return _Exercise(name, item.tokens, source, lessons.inputs[rows], lessons.choices[rows])


class SourceObjective(nn.Module):
    """Divergence of what the networks choose from what the teacher chooses, and the penalty on changing the source."""

    def __init__(self, network: SourceNetwork, task: Task, penalty: float):
        super().__init__()
        self.network, self.task, self.penalty = network, task, penalty

    def forward(self, batch: Sequence[_Exercise], generator: torch.Generator) -> LossAndFigures:
        divergences, changes = [], []
        for exercise in batch:
            tokens = exercise.tokens
            change = tokens.scatter(self.network(tokens.features, tokens.gather(exercise.source)))
            outputs = self.task.outputs(exercise.structure, exercise.source + change, exercise.inputs)
            divergences.append(divergence(exercise.choices, outputs[0]).mean())
            changes.append(change.square().mean())
        behaviour, change = torch.stack(divergences).mean(), torch.stack(changes).mean()
        return behaviour + self.penalty * change, {"behaviour": behaviour, "change": change}
