"""What is known of one structure: its checkpoints, its neighbours, what was generated for it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.evaluation.config import EvaluationConfig, Family
from zoogen.evaluation.sources import Checkpoints, CheckpointSource, Codec, Generator
from zoogen.identity import derive_seed
from zoogen.shown import shown
from zoogen.splits import SPLITS, Split
from zoogen.tasks.base import Task
from zoogen.weights.target import Target


@dataclass(frozen=True)
class Sources:
    """What all structures of an evaluation have in common.

    Attributes:
        task: judges; makes untrained weights.
        zoo: runs of the known structures.
        generator, codec: absent ones leave out their methods.
        reference: conventionally trained runs of unseen structures, or None.
        device: where networks are generated and judged.
        others: further generators, by the method that each is judged as.
    """

    task: Task
    config: EvaluationConfig
    zoo: CheckpointSource
    generator: Generator | None = None
    codec: Codec | None = None
    reference: CheckpointSource | None = None
    device: str = "cpu"
    others: Mapping[str, Generator] = field(default_factory=dict)

    def families(self, structure: str) -> tuple[Family, ...]:
        """The families to judge on a structure; further generators are judged on any."""
        left_out = {"conventional"} if structure not in self.trained_anew else set()
        wanted = tuple(f for f in self.config.families(structure in self.known) if f not in left_out)
        return wanted if "others" in wanted or not self.others else (*wanted, "others")

    @cached_property
    def known(self) -> tuple[str, ...]:
        """Canonical names of the zoo's structures."""
        return tuple(self.task.canonical(structure) for structure in self.zoo.plan.structures)

    @cached_property
    def judged(self) -> tuple[str, ...]:
        """The zoo's structures that are evaluated, in the zoo's order.

        Raises:
            ZoogenError: one is asked for that the zoo does not hold.
        """
        if self.config.known is None:
            return self.known
        wanted = [self.task.canonical(structure) for structure in self.config.known]
        for given, name in zip(self.config.known, wanted, strict=True):
            if name not in self.known:
                raise ZoogenError(
                    f"evaluation.known names {shown(given)}, which the zoo does not hold; unseen structures belong to "
                    "evaluation.structures"
                )
        return tuple(name for name in self.known if name in wanted)

    @cached_property
    def unseen(self) -> tuple[str, ...]:
        """Canonical names of the configuration's structures that the zoo lacks."""
        names = dict.fromkeys(map(self.task.canonical, self.config.structures))
        return tuple(name for name in names if name not in self.known)

    @property
    def structures(self) -> tuple[str, ...]:
        """Canonical names of all that is evaluated, in order.

        Raises:
            ZoogenError: weight maps, trajectories or conventional training are wanted of a structure that is not among
                them.
        """
        _ = self.mapped, self.followed, self.trained_anew
        return (*self.judged, *self.unseen)

    @cached_property
    def mapped(self) -> tuple[str, ...]:
        """Structures whose weight matrices are kept."""
        return self._wanted("weight_maps", self.config.weight_maps.structures)

    @cached_property
    def followed(self) -> tuple[str, ...]:
        """Structures whose networks are followed through the denoising steps."""
        trajectories = self.config.trajectories
        return self._wanted("trajectories", trajectories.structures) if trajectories is not None else ()

    @cached_property
    def trained_anew(self) -> tuple[str, ...]:
        """Structures whose networks are trained from scratch at fixed budgets, where `conventional` is judged."""
        given = self.config.conventional.structures
        return self._wanted("conventional", given) if given else (*self.known, *self.unseen)

    def _wanted(self, section: str, structures: Sequence[str]) -> tuple[str, ...]:
        """Canonical names of the structures that a section of the configuration asks for, the first known one by
        default."""
        wanted = tuple(map(self.task.canonical, structures)) or self.judged[:1]
        for name in wanted:
            if name not in self.judged and name not in self.unseen:
                raise ZoogenError(
                    f"evaluation.{section}.structures names {name}, which is not evaluated; take a structure of the "
                    "zoo or of evaluation.structures"
                )
        return wanted

    @cached_property
    def trained_elsewhere(self) -> tuple[str, ...]:
        """Unseen structures that the reference zoo holds."""
        if self.reference is None:
            return ()
        held = {self.task.canonical(structure) for structure in self.reference.plan.structures}
        return tuple(name for name in self.unseen if name in held)


@dataclass(frozen=True)
class Generated:
    """Generated networks [K, D] on the CPU and the seconds that they took."""

    weights: Tensor
    seconds: float


class StructureData:
    """One structure of an evaluation; what is costly is made once, when it is first asked for."""

    def __init__(self, sources: Sources, structure: str) -> None:
        self.sources, self.config, self.task = sources, sources.config, sources.task
        self.target: Target = sources.task.target(structure)
        self.name = self.target.structure
        self.known = self.name in sources.known

    @cached_property
    def train(self) -> Checkpoints | None:
        return self._select("train")

    @cached_property
    def held_out(self) -> Checkpoints | None:
        return self._select("test")

    @property
    def reference(self) -> CheckpointSource | None:
        return self.sources.reference if self.name in self.sources.trained_elsewhere else None

    @cached_property
    def reference_parts(self) -> tuple[Checkpoints, ...]:
        """Conventionally trained runs of an unseen structure: nothing learnt from any of their splits, so all serve."""
        if (zoo := self.reference) is None:
            return ()
        return tuple(zoo.select(self.name, split) for split in SPLITS if zoo.plan.runs_of(split, self.name))

    @cached_property
    def generated(self) -> Generated | None:
        """The generator's networks, None without a generator."""
        return None if self.sources.generator is None else self.generated_by(self.sources.generator)

    def generated_by(self, generator: Generator) -> Generated:
        """Networks of any generator; all get the same seed."""
        begin = time.perf_counter()
        weights = generator.generate(self.target, self.config.count, self.seed("generated"), self.sources.device)
        return Generated(weights.cpu(), time.perf_counter() - begin)

    def seed(self, *what: str | int) -> int:
        """The seed of one purpose on this structure."""
        return derive_seed("evaluation", self.config.seed, self.name, *what)

    def _select(self, split: Split) -> Checkpoints | None:
        if not self.known or not self.sources.zoo.plan.runs_of(split, self.name):
            return None
        return self.sources.zoo.select(self.name, split)


def nearest_structure(task: Task, structure: str, others: Sequence[str]) -> str:
    """The one of `others` whose condition is nearest.

    Numbers of a condition that are positive everywhere are compared by their logarithms, all in units of their
    standard deviation over `others` (a number that is the same for all of them is compared as it is).
    """
    conditions = torch.tensor([task.condition(name) for name in (*others, structure)], dtype=torch.float64)
    positive = (conditions > 0).all(0)
    conditions = torch.where(positive, conditions.clamp(min=torch.finfo(torch.float64).tiny).log(), conditions)
    known, wanted = conditions[:-1], conditions[-1]
    spread = known.std(0, unbiased=False)
    scaled = (known - wanted) / torch.where(spread > 0, spread, 1.0)
    return others[int(scaled.square().sum(1).argmin())]
