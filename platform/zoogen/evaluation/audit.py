"""The audit of one structure: are its networks copies of training checkpoints, and are they different from each other?

Zeng et al. 2025 measured of published weight generators that most of what they give are training checkpoints or lies
between them. Hence three distances of every network to the nearest training checkpoint, beside the same distances
between checkpoints of different runs, and the spread of every method's networks as a set.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from zoogen.evaluation import novelty
from zoogen.evaluation.baselines import draw, last_of_each_run
from zoogen.evaluation.sources import Checkpoints
from zoogen.evaluation.structure import StructureData
from zoogen.weights.symmetry import UnitGroup

_MATCHED_PAIRS = 16  # networks of a method of which all pairs are matched
TRAINING = "training"  # the method whose networks are training checkpoints
NEAREST, MATCHED, BEHAVIOUR = "nearest_train", "matched_train", "behaviour_train"


@dataclass(frozen=True)
class Audited:
    """What the audit says of the networks of a method.

    Attributes:
        distances: name to the distance of each network to the nearest training checkpoint, [F] float64: all of them,
            or NaN beyond the first `audit.sample` (`audit.behaviour_sample`) ones.
        figures: numbers of the set, for example `coverage.weights`.
    """

    distances: Mapping[str, Tensor]
    figures: Mapping[str, float]


class Audit:
    """Compares networks with the training checkpoints of one structure; what these give is made once.

    Weights are compared with all training checkpoints. Behaviour is compared with `audit.behaviour_sample` of them
    (`audit.sample` if that is not set), the last one of every run before all others. Coverage and density take the
    last checkpoints of the runs for the real points, since neighbours within a run would make every ball small; where
    there are no more than `audit.neighbours` runs, they take the whole sample.
    """

    def __init__(self, data: StructureData) -> None:
        self.data, self.config = data, data.config.audit
        self._compared = self.config.compared_in_behaviour

    def of(self, method: str, weights: Tensor, rows: Tensor | None = None) -> Audited:
        """Audit the networks [F, D] of a method.

        Args:
            method: distances of `training` are left out unless `audit.originals` is set.
            weights: its networks.
            rows: which training checkpoints they are, [F] int64, so that each is compared with the others alone;
                None for other networks.
        """
        behaviour = self._behaviour(weights[: self._compared])
        distances: dict[str, Tensor] = {}
        figures = {
            "diversity.weights": novelty.pairwise_median(novelty.weight_distances(weights, weights)),
            "diversity.relative": novelty.relative_diversity(
                weights[:_MATCHED_PAIRS], self.data.target.layout, self._groups
            ),
            "diversity.behaviour": self._diversity(behaviour),
        }
        train = self.data.train
        if train is not None:
            between = None if behaviour is None else self._to_train(behaviour)
            figures |= self._coverage(train, weights, between)
            if method != TRAINING or (self.config.originals and rows is not None and len(train.runs) > 1):
                distances = self._distances(train, weights, between, rows)
        return Audited(distances, {name: value for name, value in figures.items() if value is not None})

    @cached_property
    def between_runs(self) -> dict[str, float]:
        """Medians of the same distances between training checkpoints and the nearest one of another run.

        Empty where there is one run only.
        """
        train = self.data.train
        if train is None or len(torch.unique(train.runs)) < 2:
            return {}
        found = {NEAREST: novelty.train_train_distance(train.weights, train.runs, self.data.seed("train-train"))}
        if self._groups:
            rows = self._rows[: self.config.sample]
            excluded = novelty.same_run(train.runs[rows], train.runs)
            nearest = novelty.matched_nearest(
                train.weights[rows], train.weights, self.data.target.layout, self._groups, excluded=excluded
            )
            found[MATCHED] = float(nearest.distance.quantile(0.5))
        if self._train_to_train is not None:
            runs = train.runs[self._compared_rows]
            excluded = novelty.same_run(runs, runs)
            found[BEHAVIOUR] = float(self._train_to_train.masked_fill(excluded, torch.inf).amin(1).quantile(0.5))
        return {name: value for name, value in found.items() if value is not None}

    def _distances(
        self, train: Checkpoints, weights: Tensor, between: Tensor | None, rows: Tensor | None
    ) -> dict[str, Tensor]:
        itself = None if rows is None else rows[:, None] == torch.arange(len(train.runs))
        found = {NEAREST: novelty.nearest_distance(weights, train.weights, itself)}
        if self._groups:
            sampled, layout = weights[: self.config.sample], self.data.target.layout
            excluded = None if itself is None else itself[: len(sampled)]
            nearest = novelty.matched_nearest(sampled, train.weights, layout, self._groups, excluded=excluded)
            found[MATCHED] = _padded(nearest.distance, len(weights))
        if between is not None:
            if rows is not None:
                between = between.masked_fill(rows[: len(between), None] == self._compared_rows, torch.inf)
            found[BEHAVIOUR] = _padded(between.amin(1), len(weights))
        return found

    def _coverage(self, train: Checkpoints, weights: Tensor, between: Tensor | None) -> dict[str, float | None]:
        k, real = self.config.neighbours, train.weights[self._anchors]
        to_real, among_real = novelty.weight_distances(weights, real), novelty.weight_distances(real, real)
        figures = {"coverage.weights": novelty.coverage(to_real, among_real, k)}
        if between is not None and self._train_to_train is not None:
            # The anchors come first in the sample.
            count = len(self._anchors)
            to_real, among_real = between[:, :count], self._train_to_train[:count, :count]
            figures["coverage.behaviour"] = novelty.coverage(to_real, among_real, k)
            figures["density.behaviour"] = novelty.density(to_real, among_real, k)
        return figures

    def _diversity(self, behaviour: Tensor | None) -> float | None:
        if behaviour is None:
            return None
        return novelty.pairwise_median(self._between(behaviour, behaviour))

    def _to_train(self, behaviour: Tensor) -> Tensor | None:
        if self._train_behaviour is None:
            return None
        return self._between(behaviour, self._train_behaviour)

    def _between(self, first: Tensor, second: Tensor) -> Tensor:
        return novelty.behaviour_distances(self.data.task, first, second, self.data.sources.device)

    def _behaviour(self, weights: Tensor) -> Tensor | None:
        if not self.config.behaviour:
            return None
        return self.data.task.behaviour(self.data.name, weights, self.data.sources.device)

    @cached_property
    def _groups(self) -> tuple[UnitGroup, ...]:
        return self.data.task.symmetries(self.data.name) if self.config.matched else ()

    @cached_property
    def _rows(self) -> Tensor:
        """Training checkpoints of the samples: the last one of every run, in random order, then others."""
        train = self.data.train
        assert train is not None, "the caller asks only where there are training checkpoints"
        largest = max(self.config.sample, self._compared)
        last = last_of_each_run(train.runs, train.steps)
        last = last[draw(len(last), largest, self.data.seed("audit", "runs"))]
        others = draw(len(train.runs), len(train.runs), self.data.seed("audit", "checkpoints"))
        return torch.cat([last, others[~torch.isin(others, last)]])[:largest]

    @property
    def _compared_rows(self) -> Tensor:
        """Those of them whose behaviour is compared with."""
        return self._rows[: self._compared]

    @cached_property
    def _anchors(self) -> Tensor:
        """Training checkpoints that coverage and density take for the real points."""
        train = self.data.train
        assert train is not None, "the caller asks only where there are training checkpoints"
        runs = len(torch.unique(train.runs))
        return self._compared_rows[:runs] if runs > self.config.neighbours else self._compared_rows

    @cached_property
    def _train_behaviour(self) -> Tensor | None:
        train = self.data.train
        return None if train is None else self._behaviour(train.weights[self._compared_rows])

    @cached_property
    def _train_to_train(self) -> Tensor | None:
        behaviour = self._train_behaviour
        return None if behaviour is None else self._between(behaviour, behaviour)


def _padded(values: Tensor, count: int) -> Tensor:
    """Values of the first networks, NaN for the rest of `count`."""
    return torch.cat([values.double(), values.new_full((count - len(values),), torch.nan, dtype=torch.float64)])
