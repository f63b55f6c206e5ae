"""Teaching a source generator by what its networks do."""

import time
from collections.abc import Sequence

import torch

from zoogen.errors import ZoogenError
from zoogen.generators.source.config import SourceConfig
from zoogen.generators.source.generator import SourceWeightGenerator, fixed_numbers
from zoogen.generators.source.network import SourceNetwork
from zoogen.generators.source.objective import Draw, SourceObjective, TaughtStructure
from zoogen.generators.source.sources import Sources
from zoogen.identity import derive_seed
from zoogen.seeds import seeded
from zoogen.tasks.base import Task
from zoogen.teaching.lessons import Lessons, lessons_of_optimum, lessons_of_zoo
from zoogen.training.hooks import LoopHooks
from zoogen.training.loop import fit
from zoogen.zoo.read import CheckpointSet

_ARRANGEMENTS = 3  # other numbers of a structure's interchangeable parts that are taught beside the plain ones


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
    taught = [
        TaughtStructure(lessons, _sources(config, task, lessons.target.structure)).to(device)
        for lessons in _lessons(config, task, structures, train, seed, str(device))
    ]
    features = [sources.tokens.features for item in taught for sources in item.sources]
    with seeded(derive_seed(seed, "source", "parameters")):
        network = SourceNetwork.of(config, features[0].shape[1], taught[0].sources[0].tokens.width)
    network.fit_coordinates([part.cpu() for part in features])

    chances = structure_chances(task, [item.lessons.target.structure for item in taught], config.emphasis).to(device)

    def sample_batch(count: int, generator: torch.Generator) -> list[Draw]:
        # distinct structures as far as there are as many
        chosen = torch.multinomial(chances, min(count, len(taught)), generator=generator)
        return [_draw(config, taught[item], item, generator, device) for item in chosen.cpu().tolist()]

    result = fit(
        SourceObjective(network, task, taught, config.diversity),
        sample_batch,
        config.loop,
        seed=derive_seed(seed, "source", "loop"),
        device=device,
        hooks=hooks,
        compile=compile,
    )
    seconds = time.perf_counter() - begin
    return SourceWeightGenerator(
        config, network.to("cpu"), task, list(structures), result.history, seconds, digest, task.resolved()
    )


def structure_chances(task: Task, structures: Sequence[str], emphasis: float) -> torch.Tensor:
    """How likely each structure is to be drawn first for an iteration, [S] float32.

    One that takes more choices to make an object errs more often on the way; in proportion to them (`emphasis` 1) the
    mean divergence of whole trajectories would be learnt, and small structures neglected.
    """
    weights = torch.tensor([task.choices(name) for name in structures]) ** emphasis
    return weights / weights.sum()


def _draw(
    config: SourceConfig, item: TaughtStructure, place: int, generator: torch.Generator, device: str | torch.device
) -> Draw:
    """Networks of a structure, in another arrangement now and then."""
    count = config.networks_at_once
    share, other = torch.rand(2, generator=generator, device=device).cpu().tolist()
    arrangement = 1 + int(other * (len(item.sources) - 1)) if share < config.rearranged and len(item.sources) > 1 else 0
    numbers = torch.randn(count, config.styles, generator=generator, device=device)
    if config.draws == "fixed":
        numbers = fixed_numbers(config.styles).to(device)
    rows = torch.randint(len(item.lessons), (count, config.states), generator=generator, device=device)
    return Draw(place, arrangement, numbers, rows)


def _sources(config: SourceConfig, task: Task, structure: str) -> tuple[Sources, ...]:
    """In the plain arrangement and, where the task has others, in some of them."""
    arrangements = range(_ARRANGEMENTS + 1) if config.rearranged > 0 else range(1)
    made = [Sources.of(task, structure, config.styles, config.amplitude, number) for number in arrangements]
    plain = made[0].tokens.features
    return (made[0], *(other for other in made[1:] if not torch.equal(other.tokens.features, plain)))


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
