"""What goes into a task and comes out of it: runs and cohorts, fine-tuning, scores, pictures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from zoogen.identity import digest

COHORT_FORMAT = 3  # raise when the meaning of a cohort's rows changes, so that old parts are not reused


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
        aligned: initial weights of equal `init_seed` are alike in every structure (`Task.aligned`).
    """

    task: Mapping[str, Any]
    structure: str
    runs: tuple[RunSpec, ...]
    aligned: bool = False

    @property
    def digest(self) -> str:
        """Names the cohort's part in the zoo."""
        runs = [[r.run, r.seed, r.init_seed] for r in self.runs]
        content = {"format": COHORT_FORMAT, "task": dict(self.task), "structure": self.structure, "runs": runs}
        return digest(content | ({"initialisation": "aligned"} if self.aligned else {}))


@dataclass(frozen=True)
class Cohort:
    """What training a cohort of M runs with C checkpoints each gives.

    Attributes:
        spec: what was trained.
        steps: iteration after which each checkpoint was taken, [C] int64.
        weights: flat weights, [M, C, D] float32.
        training: named training figures per checkpoint (loss, log_z, …), each [M, C] float32.
        seconds: wall-clock time of the training of the whole cohort.
        columns: further text columns of all its rows, for example the hash of what its networks share.
    """

    spec: CohortSpec
    steps: Tensor
    weights: Tensor
    training: Mapping[str, Tensor]
    seconds: float
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FineTuneSpec:
    """Further training of given weights, all networks together.

    Attributes:
        structure: canonical name of the structure.
        seeds: seed of everything random in the training of each of the M networks.
        steps: iterations after which checkpoints are taken, ascending, from 1; the last one is the end, and the
            learning rate's schedule runs over as many iterations.
        learning_rate: of all networks; None takes that of the task's training.
    """

    structure: str
    seeds: tuple[int, ...]
    steps: tuple[int, ...]
    learning_rate: float | None = None


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
