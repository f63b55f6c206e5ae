"""The result of an evaluation: frozen, typed, and the same after a trip through JSON."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from zoogen.evaluation.config import EvaluationConfig
from zoogen.evaluation.equivalence import EquivalentIterations, budget_of
from zoogen.evaluation.records import Record, Summary, TrajectoryRecord, is_error, read_record, record_bytes, summarise
from zoogen.tasks.records import Scores

# Floors of one structure: protocol to reference to metric, for example floors["sampled"]["perfect"]["l1"].
Floors = dict[str, dict[str, dict[str, float]]]

# Conventional training, what ratios are to: the last checkpoint of each run that nothing was learnt from. A method of
# last checkpoints exists only where runs have more of them; where they have one, all checkpoints are last ones.
CONVENTIONAL = ("held-out-last", "held-out", "reference-last", "reference")


class Seconds(Record):
    """Wall-clock cost of the networks of one method and structure.

    Attributes:
        training: conventional training per network (a cohort's time divided by its runs), None if not trained.
        generating: making all `count` networks, None if they were read.
        judging: scoring all `count` networks.
        auditing: comparing them with the training checkpoints and with each other.
    """

    training: float | None = None
    generating: float | None = None
    judging: float = 0.0
    auditing: float = 0.0


class TensorStatistics(Record):
    """One tensor of the networks of a method (GenFlowNet, Table 6).

    Attributes:
        variance: of all values of all networks, around their common mean.
        between: mean over coordinates of the variance between networks; 0 where all networks are equal.
    """

    variance: float
    between: float


class Selection(Record):
    """The network that was chosen of the `count` ones by the task's selection metric.

    The choice is honest where that metric is made of other data than the primary one; where it is the same, or of the
    same protocol, `value` is as optimistic as the best of all.

    Attributes:
        index: which network.
        by: the metric of the choice; `chosen` is its value.
        value: the primary metric of the chosen network.
    """

    index: int
    by: str
    chosen: float
    value: float


class MethodResult(Record):
    """What one method reached on one structure.

    Attributes:
        method: name, for example `generated`, `held-out`, `average-5`.
        structure: canonical name; `label` is its short form.
        known: whether the zoo holds the structure.
        count: networks judged.
        primary: the metric (`group.metric`, lower is better) that ranks here.
        metrics: `group.metric` to one number per network. The group `novelty` has the distances to the nearest
            training checkpoint: `nearest_train` is the root mean square difference per weight, `matched_train`
            the same after matching hidden units, `behaviour_train` the task's distance between what networks do.
            The last two are NaN beyond the first `audit.sample` networks, and absent where the task knows no such
            symmetries or cannot tell behaviour.
        floors: what each protocol reads for references under the same settings; `novelty.train_train` has the
            median distances between a training checkpoint and the nearest one of another run.
        settings: settings of each protocol.
        figures: numbers of the networks as a set: `diversity.weights` and `diversity.behaviour` (median distance
            between two of them), `coverage.weights`, `coverage.behaviour` and `density.behaviour` (how well they
            cover the training runs, Naeem et al. 2020).
        tensors: statistics of each tensor by name.
        selection: the network chosen by the task's selection metric, None where it has none.
        iterations: of conventional training behind each network, its schedule over just these; None of other methods,
            and where no budgets were trained.
        equivalent: how long conventional training takes to reach the median; None where no budgets were trained.
        notices: one-line remarks.
    """

    method: str
    structure: str
    label: str
    known: bool
    count: int
    primary: str
    metrics: dict[str, tuple[float, ...]]
    floors: Floors = {}
    settings: dict[str, dict[str, float | int | str]] = {}
    figures: dict[str, float] = {}
    tensors: dict[str, TensorStatistics] = {}
    selection: Selection | None = None
    iterations: int | None = Field(default=None, exclude_if=lambda value: value is None)
    equivalent: EquivalentIterations | None = Field(default=None, exclude_if=lambda value: value is None)
    seconds: Seconds = Seconds()
    notices: tuple[str, ...] = ()

    def summary(self, metric: str | None = None) -> Summary:
        """Statistics of a metric, of the primary one by default."""
        return summarise(self.metrics[metric or self.primary])

    @property
    def best(self) -> float:
        """Best of the `count` networks by the primary metric."""
        return self.summary().minimum

    @property
    def ranks_by_error(self) -> bool:
        """Whether the primary metric is a share of wrong answers: 1 - accuracy."""
        return is_error(self.primary)


class PortraitRecord(Record):
    """Picture of the truth (method `TRUTH`) or of a method's median network: rows of a 2-D array."""

    structure: str
    label: str
    known: bool
    method: str
    title: str
    value: float | None = None
    values: tuple[tuple[float, ...], ...]


class WeightMapRecord(Record):
    """A weight matrix of one network, to be drawn (GenFlowNet, Figures 5, 7, 8): rows of tensor `tensor`.

    Attributes:
        method: whose network; `network` is its index among the method's.
        values: 2-D; further dimensions of the tensor are folded into the columns.
    """

    structure: str
    label: str
    method: str
    network: int
    tensor: str
    values: tuple[tuple[float, ...], ...]


class Inputs(Record):
    """Names of what was judged: digests of artifacts, empty where there is none.

    Attributes:
        structures: N, how many structures the generator learnt from; 0 if unknown.
        models: M, how many models of each (the fewest); 0 if unknown.
        others: digests of the study's further generators, by the method that each is.
    """

    study: str = ""
    zoo: str = ""
    autoencoder: str = ""
    generator: str = ""
    reference: str = ""
    structures: int = 0
    models: int = 0
    others: dict[str, str] = Field(default={}, exclude_if=lambda value: not value)


class Environment(Record):
    """Where and when the numbers were made."""

    date: str
    versions: dict[str, str]
    hardware: dict[str, str]
    git: str = ""


class Evaluation(Record):
    """All methods on all structures, and what is needed to read or repeat the numbers.

    Attributes:
        cost: wall-clock seconds per stage (`zoo`, of it `zoo_training` for the runs that were learnt from, both with
            what runs share; `autoencoder`, `generator`, `generating`, `conventional`, `judging`, `auditing`), as far as
            known.
        axes: structure to its coordinates by name (`Task.axes`), where it has any; of those that were learnt from, too,
            where they were not judged.
    """

    inputs: Inputs
    task: dict[str, Any]
    primary_metrics: tuple[str, ...]
    config: EvaluationConfig
    results: tuple[MethodResult, ...]
    portraits: tuple[PortraitRecord, ...] = ()
    weight_maps: tuple[WeightMapRecord, ...] = ()
    trajectories: tuple[TrajectoryRecord, ...] = Field(default=(), exclude_if=lambda value: not value)
    cost: dict[str, float] = {}
    axes: dict[str, dict[str, float]] = Field(default={}, exclude_if=lambda value: not value)
    notices: tuple[str, ...] = ()
    environment: Environment

    def result(self, structure: str, method: str) -> MethodResult | None:
        """The result of a method on a structure (canonical name or label), None if there is none."""
        return next((r for r in self.results if r.method == method and structure in (r.structure, r.label)), None)

    def conventional(self, structure: str) -> MethodResult | None:
        """What conventional training reaches: the last checkpoints of the held-out runs, or of the reference runs of an
        unseen structure; without them, what was trained longest for the evaluation; None without any."""
        found = (self.result(structure, method) for method in CONVENTIONAL)
        budgets = sorted((budget, r.method) for r in self.results if (budget := budget_of(r.method)) is not None)
        longest = (self.result(structure, method) for _, method in reversed(budgets))
        return next((result for result in (*found, *longest) if result is not None), None)

    def ratios(self, method: str = "generated") -> dict[str, float]:
        """`ratios_of_all` of one method, by structure label."""
        found = self.ratios_of_all()
        results = (result for result in self.results if result.method == method)
        return {r.label: found[r.structure, r.method] for r in results if (r.structure, r.method) in found}

    def ratios_of_all(self) -> dict[tuple[str, str], float]:
        """Median primary metric of every structure and method over that of conventional training, if there is."""
        found = {}
        for result in self.results:
            other = self.conventional(result.structure)
            if other is not None and other.primary == result.primary:
                below = other.summary().median
                found[result.structure, result.method] = result.summary().median / below if below else math.inf
        return found

    def to_json(self) -> str:
        """Sealed (`record_bytes`)."""
        return record_bytes(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes, where: str = "evaluation", *, sealed: bool = True) -> "Evaluation":
        """Read what `to_json` wrote.

        Raises:
            DamagedError: as `read_record`.
        """
        return read_record(cls, text, where, sealed=sealed)


def metric_json(scores: Scores, label: str) -> dict[str, Any]:
    """Scores of K networks as the JSON of `zoogen evaluate --json`; numbers that are not finite become null.

    Each protocol is a key that holds its metrics as lists of K numbers and, where it has them, `floors`.
    """
    groups: dict[str, Any] = {}
    for name, group in scores.groups.items():
        groups[name] = {metric: _finite_list(values.tolist()) for metric, values in group.values.items()}
        if group.floors:
            groups[name]["floors"] = {ref: _finite_dict(metrics) for ref, metrics in group.floors.items()}
    statistics = {name: summarise(values.tolist()).model_dump() for name, values in scores.flat().items()}
    return {
        "structure": scores.structure,
        "label": label,
        "count": scores.count,
        **groups,
        "summary": {name: _finite_dict(values) for name, values in statistics.items()},
        "settings": {name: dict(group.settings) for name, group in scores.groups.items() if group.settings},
        "notices": list(scores.notices),
    }


def _finite_list(values: Sequence[float]) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values]


def _finite_dict(values: Mapping[str, float]) -> dict[str, float | None]:
    return {key: value if math.isfinite(value) else None for key, value in values.items()}
