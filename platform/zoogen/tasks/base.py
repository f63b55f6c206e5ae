"""The contract of a task: what checkpoints are for.

A task trains cohorts of networks, judges flat weights and describes structures to a generator.
Everything outside `zoogen.tasks` speaks to this contract alone.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.identity import digest
from zoogen.weights.layout import ParameterLayout
from zoogen.weights.symmetry import UnitGroup
from zoogen.weights.target import Target

COHORT_FORMAT = 1  # raise when the meaning of a cohort's rows changes, so that old parts are not reused


@dataclass(frozen=True)
class RunSpec:
    """One training run.

    Attributes:
        run: index of the run within its structure; splits go by it.
        seed: seed of everything random in training (sampling, data order).
        init_seed: seed of the initial weights; equal for runs that share their initialisation.
    """

    run: int
    seed: int
    init_seed: int


@dataclass(frozen=True)
class CohortSpec:
    """One unit of work: runs of one structure that are trained together.

    Attributes:
        task: the task's resolved configuration as a JSON-like mapping.
        structure: canonical name of the structure (`Task.canonical`).
        runs: the runs, in order.
    """

    task: Mapping[str, Any]
    structure: str
    runs: tuple[RunSpec, ...]

    @property
    def digest(self) -> str:
        """Names the cohort's part in the zoo."""
        runs = [[r.run, r.seed, r.init_seed] for r in self.runs]
        return digest({"format": COHORT_FORMAT, "task": dict(self.task), "structure": self.structure, "runs": runs})


@dataclass(frozen=True)
class Cohort:
    """What training a cohort of M runs with C checkpoints each gives.

    Attributes:
        spec: what was trained.
        steps: iteration after which each checkpoint was taken, [C] int64.
        weights: flat weights, [M, C, D] float32.
        training: named training figures per checkpoint (loss, log_z, …), each [M, C] float32.
        seconds: wall-clock time of the training of the whole cohort.
    """

    spec: CohortSpec
    steps: Tensor
    weights: Tensor
    training: Mapping[str, Tensor]
    seconds: float


@dataclass(frozen=True)
class FineTuneSpec:
    """Further training of given weights, all networks together.

    Attributes:
        structure: canonical name of the structure.
        seeds: seed of everything random in the training of each of the M networks.
        steps: iterations after which checkpoints are taken, ascending, from 1; the last one is the end, and the
            learning rate's schedule runs over as many iterations.
    """

    structure: str
    seeds: tuple[int, ...]
    steps: tuple[int, ...]


@dataclass(frozen=True)
class FineTuned:
    """What fine-tuning M networks with C checkpoints each gives.

    Attributes:
        steps: [C] int64.
        weights: flat weights, [M, C, D] float32.
        training: named figures per checkpoint, each [M, C] float32; means since the checkpoint before, or totals
            so far (`states_visited`).
        seconds: wall-clock time of the whole cohort.
    """

    steps: Tensor
    weights: Tensor
    training: Mapping[str, Tensor]
    seconds: float


@dataclass(frozen=True)
class MetricGroup:
    """Metrics of K networks under one protocol.

    Attributes:
        values: metric name to a [K] float64 tensor.
        floors: name of a reference (for example a perfect sampler) to its metrics under the
            same protocol: what the protocol reads when nothing was learnt, or everything.
        settings: what the protocol used (number of samples, seed, …).
    """

    values: Mapping[str, Tensor]
    floors: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    settings: Mapping[str, float | int | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Scores:
    """Judgement of K networks of one structure.

    Attributes:
        structure: canonical name.
        groups: protocol name (`exact`, `sampled`, …) to its metrics. A protocol that could not
            be used is absent, and `notices` says why.
        notices: one-line remarks for the user.
    """

    structure: str
    groups: Mapping[str, MetricGroup]
    notices: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        group = next(iter(self.groups.values()))
        return len(next(iter(group.values.values())))

    def metric(self, name: str) -> Tensor:
        """The [K] values of `group.metric`, for example `exact.js`."""
        group, _, metric = name.partition(".")
        return self.groups[group].values[metric]

    def flat(self) -> dict[str, Tensor]:
        """All values by `group.metric`."""
        return {f"{g}.{m}": v for g, group in self.groups.items() for m, v in group.values.items()}


@dataclass(frozen=True)
class Portrait:
    """A small picture of a network's behaviour or of the truth: a titled 2-D array."""

    title: str
    values: np.ndarray


ProgressCallback = Callable[[int, int, Mapping[str, float]], None]  # (iterations done, total, figures such as loss)


class Task(ABC):
    """What a checkpoint is for. Instances are cheap, picklable and hold no device memory."""

    name: str  # also the `kind` of the task's configuration

    @abstractmethod
    def resolved(self) -> dict[str, Any]:
        """The task's configuration, JSON-like; `build_task` makes an equal task from it."""

    def resolved_for(self, structure: str) -> dict[str, Any]:
        """The part of `resolved` that matters to one structure: what its cohorts are identified by."""
        return self.resolved()

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

    def target(self, structure: str) -> Target:
        """What a generator needs to know of the structure."""
        name = self.canonical(structure)
        return Target(name, self.label(name), self.layout(name), self.condition(name))

    @abstractmethod
    def train_cohort(self, spec: CohortSpec, device: str = "cpu", progress: ProgressCallback | None = None) -> Cohort:
        """Train the runs of `spec` together."""

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

    def behaviour_distances(self, first: Tensor, second: Tensor) -> Tensor:
        """Distances between behaviours [K, X] and [R, X], [K, R] float64; by default half the L1 distance (the total
        variation of distributions)."""
        return torch.cdist(first.double(), second.double(), p=1) / 2

    def activations(self, structure: str, weights: Tensor, count: int, seed: int) -> Mapping[str, Tensor] | None:
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
    def portraits(self, structure: str, weights: Tensor) -> tuple[Portrait, ...]:
        """Pictures of the truth and of one network [D], the truth first."""

    def infer_structure(self, shapes: dict[str, tuple[int, ...]]) -> str:
        """Canonical structure of a weights file without metadata, from its tensors' shapes (no batch dimension).

        Raises:
            ZoogenError: the shapes fit no structure, or do not tell it.
        """
        raise ZoogenError(f"a weights file for the task {self.name} must name its structure in its metadata")

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
    def selection_metrics(self) -> tuple[str, ...]:
        """Metrics (lower is better) by which one network of many is chosen, made of other data than what is reported
        of it (validation data, further samples); the first available one counts."""
        return self.primary_metrics
