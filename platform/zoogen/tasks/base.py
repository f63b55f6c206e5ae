"""The contract of a task: what checkpoints are for.

A task trains cohorts of networks, judges flat weights and describes structures to a generator.
Everything outside `zoogen.tasks` speaks to this contract alone.
"""

import copy
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, Self

import torch
from torch import Tensor

from zoogen.artifact import Objects
from zoogen.errors import ZoogenError
from zoogen.tasks.records import Cohort, CohortSpec, FineTuned, FineTuneSpec, Portrait, Scores
from zoogen.tasks.taught import TaughtTask
from zoogen.weights.layout import ParameterLayout
from zoogen.weights.symmetry import UnitGroup
from zoogen.weights.target import Target

ProgressCallback = Callable[[int, int, Mapping[str, float]], None]  # (iterations done, total, figures such as loss)


class Assets(Objects, Protocol):
    """Where a task keeps what is made once for many networks (`ArtifactStore`)."""


class Task(TaughtTask):
    """What a checkpoint is for. Instances are cheap, picklable and hold no device memory.

    Methods that compute take the `device` to compute on, and give their results on the CPU. Initial weights
    (`untrained`, `transfer`) are drawn on the CPU whatever the device, so that a seed means the same ones.
    """

    name: str  # also the `kind` of the task's configuration
    assets: Assets | None = None

    def using(self, assets: Assets) -> Self:
        """This task with a place for what is made once (`prepare`); without one it is made in every process."""
        task = copy.copy(self)
        task.assets = assets
        return task

    def prepare(  # noqa: B027  # nothing by default
        self, structure: str, device: str = "cpu", progress: ProgressCallback | None = None
    ) -> None:
        """Make what training and judging this structure's networks share and what is not there yet.

        Safe to repeat and to race. Called before cohorts are trained; by default there is nothing to make.
        """

    def prepared(self, structure: str) -> bool:
        """Whether `prepare` has nothing left to do."""
        return True

    def damage(self, structure: str) -> str:
        """What `prepare` made earlier and will make again, because it is damaged, in one line; empty if there is no
        such thing."""
        return ""

    def shared(self, structure: str) -> Mapping[str, str]:
        """Text columns of a structure's rows that name what `prepare` made for it and is there now (`Cohort.columns`);
        rows that name another belong to other networks."""
        return {}

    def preparation_seconds(self, structure: str) -> float:
        """Wall-clock time of what `prepare` made for this structure; a part of what its zoo costs."""
        return 0.0

    def missing(self, structure: str) -> str:
        """Key among the assets of what judging this structure's networks needs and `prepare` has still to make; empty
        if there is nothing, or where networks are judged without it."""
        return ""

    def complete(self, structure: str, weights: Tensor, device: str = "cpu") -> Mapping[str, Tensor]:
        """Whole networks: tensors [K, ...] by name for flat weights [K, D], whatever is not generated included."""
        return self.layout(structure).unflatten(weights.cpu())

    def extract(self, structure: str, tensors: Mapping[str, Tensor]) -> Tensor:
        """Flat weights [K, D] of whole networks, tensors [K, ...] by name: what `complete` made them of."""
        return self.layout(structure).flatten({name: tensors[name] for name in self.layout(structure).shapes})

    def retaken(self, structure: str) -> frozenset[str]:
        """Names of tensors of whole networks that judging takes anew from data, whatever they were."""
        return frozenset()

    def excess(self, structure: str) -> str:
        """What makes judging this structure's networks more than a file from anywhere may ask for (work, memory, places
        on this machine), and its limit; empty if nothing does."""
        return ""

    @abstractmethod
    def resolved(self) -> dict[str, Any]:
        """The task's configuration, JSON-like; `build_task` makes an equal task from it."""

    def identity(self) -> dict[str, Any]:
        """The part of `resolved` that decides what is made, and names a zoo: not in which folders things lie."""
        return self.resolved()

    def resolved_for(self, structure: str) -> dict[str, Any]:
        """The part of `identity` that matters to one structure: what its cohorts are identified by."""
        return self.identity()

    def content(self, structure: str) -> dict[str, Any]:
        """Hashes of what is loaded from outside the package for this structure (images, code, weights), when it is
        first asked for; empty where nothing is. A part of `resolved_for`; a ZoogenError if it cannot be used."""
        return {}

    def unavailable(self, structure: str) -> str:
        """Why something of the content is not to be had here, empty if all is there. Artifacts that were made of it
        cannot be named then, and none can be made."""
        return ""

    def with_contents(self, contents: Mapping[str, Mapping[str, Any]]) -> Self:
        """This task with the contents of structures as they were when a zoo was planned: nothing is loaded to know
        them, and training or judging with others is refused."""
        return self

    @abstractmethod
    def canonical(self, structure: str) -> str:
        """Canonical name of a structure given in any accepted spelling.

        Raises:
            ZoogenError: the structure is unknown or impossible.
        """

    @abstractmethod
    def label(self, structure: str) -> str:
        """Short name for tables and figures."""

    @abstractmethod
    def layout(self, structure: str) -> ParameterLayout:
        """Layout of the weights that are generated for this structure."""

    @abstractmethod
    def condition(self, structure: str) -> tuple[float, ...]:
        """The structure as numbers, the condition of a generator (of equal length for all structures)."""

    def axes(self, structure: str) -> Mapping[str, float]:
        """Coordinates of the structure, by name, over which figures may draw; empty where there are no such numbers."""
        return {}

    def target(self, structure: str) -> Target:
        """What a generator needs to know of the structure."""
        name = self.canonical(structure)
        return Target(name, self.label(name), self.layout(name), self.condition(name), partial(self.tokens, name))

    @abstractmethod
    def train_cohort(self, spec: CohortSpec, device: str = "cpu", progress: ProgressCallback | None = None) -> Cohort:
        """Train the runs of `spec` together."""

    def with_iterations(self, iterations: int) -> "Task | None":
        """This task with a training of exactly so many iterations, its schedule over them, and with its end as the only
        checkpoint; None where a training's length is no such number."""
        return None

    @abstractmethod
    def untrained(self, structure: str, count: int, seed: int) -> Tensor:
        """Freshly initialised flat weights, [count, D]."""

    @abstractmethod
    def score(self, structure: str, weights: Tensor, *, seed: int = 0, device: str = "cpu") -> Scores:
        """Judge flat weights [K, D]; `seed` fixes sampled protocols.

        Raises:
            ZoogenError: wrong length or values that are not finite.
        """

    def fine_tune(
        self, spec: FineTuneSpec, weights: Tensor, device: str = "cpu", progress: ProgressCallback | None = None
    ) -> FineTuned:
        """Train on from flat weights [M, D] with the task's own training settings.

        Raises:
            ZoogenError: the task cannot, or the weights do not fit the structure.
        """
        raise ZoogenError(f"the task {self.name} cannot continue the training of given weights")

    def symmetries(self, structure: str) -> tuple[UnitGroup, ...]:
        """Hidden units that may be renumbered without changing the function; none are known by default."""
        return ()

    def behaviour(self, structure: str, weights: Tensor, device: str = "cpu") -> Tensor | None:
        """What each of the networks [K, D] does, as rows [K, X] on the CPU; None where it cannot be told or is too
        large to be kept for many networks."""
        return None

    def behaviour_distances(self, first: Tensor, second: Tensor, device: str = "cpu") -> Tensor:
        """Distances between behaviours [K, X] and [R, X], [K, R] float64; by default half the L1 distance (the total
        variation of distributions)."""
        return (torch.cdist(first.to(device).double(), second.to(device).double(), p=1) / 2).cpu()

    def activations(
        self, structure: str, weights: Tensor, count: int, seed: int, device: str = "cpu"
    ) -> Mapping[str, Tensor] | None:
        """Outputs of every layer on `count` seeded inputs that correspond between structures: layer name to
        [K, count, width] for networks [K, D]; None where the task has none."""
        return None

    def transfer(self, weights: Tensor, source: str, target: str, seed: int = 0) -> Tensor:
        """Weights [K, D] of the structure `source` as a start for the structure `target`, [K, D'].

        By default tensors of the same name are copied as far as they overlap, the rest is untrained.
        """
        before, layout = self.layout(source), self.layout(target)
        made = layout.unflatten(self.untrained(target, len(weights), seed).clone())
        for name, tensor in before.unflatten(weights).items():
            if name in made and made[name].ndim == tensor.ndim:
                overlap = tuple(slice(0, min(a, b)) for a, b in zip(tensor.shape, made[name].shape, strict=True))
                made[name][overlap] = tensor[overlap]
        return layout.flatten(made)

    @abstractmethod
    def portraits(self, structure: str, weights: Tensor, device: str = "cpu") -> tuple[Portrait, ...]:
        """Pictures of the truth and of one network [D], the truth first."""

    def infer_structure(self, shapes: dict[str, tuple[int, ...]], known: Sequence[str] = ()) -> str:
        """Canonical structure of a weights file without metadata, from its tensors' shapes (no batch dimension).

        Args:
            known: structures that it may be of; by default the only one of them that fits is taken.

        Raises:
            ZoogenError: the shapes fit no structure, or do not tell it.
        """
        fitting = [n for n in map(self.canonical, known) if self.layout(n).shapes.items() <= shapes.items()]
        if len(fitting) == 1:
            return fitting[0]
        found = f"; its tensors fit {', '.join(fitting) or 'none'} of {', '.join(known)}" if known else ""
        raise ZoogenError(f"a weights file for the task {self.name} must name its structure in its metadata{found}")

    def for_file(self, metadata: dict[str, str], shapes: dict[str, tuple[int, ...]]) -> "Task":
        """This task with what a weights file says of its networks (width, activation, …) taken over."""
        return self

    @abstractmethod
    def file_metadata(self, structure: str) -> dict[str, str]:
        """What a reader of a weights file needs to run the networks (encodings, activation, …)."""

    @abstractmethod
    def describe_run(self) -> dict[str, str]:
        """Columns that every row of the zoo carries from this task's configuration (objective, optimiser, …)."""

    @property
    @abstractmethod
    def primary_metrics(self) -> tuple[str, ...]:
        """Metrics (`group.metric`, lower is better) that rank networks; the first available one counts."""

    @property
    def ranking_metrics(self) -> tuple[str, ...]:
        """Metrics (lower is better) of training runs by which the best of them are chosen to learn from; a task whose
        primary metrics are made of test data names others here."""
        return self.primary_metrics

    @property
    def selection_metrics(self) -> tuple[str, ...]:
        """Metrics (lower is better) by which one network of many is chosen, made of other data than what is reported
        of it (validation data, further samples); the first available one counts."""
        return self.primary_metrics
