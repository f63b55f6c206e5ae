"""Reading a zoo: checkpoints of a structure and a split as tensors."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.shown import shown
from zoogen.splits import Split
from zoogen.tasks.base import Task
from zoogen.tasks.records import CohortSpec
from zoogen.weights.target import Target
from zoogen.zoo.build import missing_cohorts
from zoogen.zoo.part_file import PartFile
from zoogen.zoo.plan import ZooPlan, split_of
from zoogen.zoo.selection import Selection, last_of_each
from zoogen.zoo.store import ArtifactStore
from zoogen.zoo.verify import PARALLEL_READS, PartName, open_part, parts_of

T = TypeVar("T")


@dataclass(frozen=True)
class CheckpointSet:
    """Checkpoints of one structure, run by run, in the order of their steps.

    Attributes:
        target: the structure.
        weights: flat weights, [R, D] float32, finite.
        runs: index of the run of each row, [R] int64.
        steps: iteration of each row, [R] int64.
        metrics: `group.metric` and `training.<name>` to [R] float64 (NaN where a part has no such metric).
        training_seconds: wall-clock training time of the runs in the set, all their checkpoints together.
    """

    target: Target
    weights: Tensor
    runs: Tensor
    steps: Tensor
    metrics: Mapping[str, Tensor]
    training_seconds: float = 0.0

    def __len__(self) -> int:
        return len(self.weights)

    def take(self, rows: Tensor) -> "CheckpointSet":
        """The rows of an index or mask, [R'] int64 or [R] bool."""
        metrics, runs = {name: values[rows] for name, values in self.metrics.items()}, self.runs[rows]
        share = len(runs.unique()) / max(1, len(self.runs.unique()))  # cohorts know their time, not that of each run
        return replace(
            self,
            weights=self.weights[rows],
            runs=runs,
            steps=self.steps[rows],
            metrics=metrics,
            training_seconds=self.training_seconds * share,
        )

    def with_weights(self, weights: Tensor) -> "CheckpointSet":
        """The same rows with other weights [R, D], for example renumbered ones."""
        return replace(self, weights=weights)

    def last(self, count: int = 1) -> "CheckpointSet":
        """The last `count` checkpoints of every run (fewer where a run has fewer)."""
        return self.take(torch.from_numpy(last_of_each(self.runs.numpy(), count)))

    def best_runs(self, share: float, metric: str) -> "CheckpointSet":
        """The checkpoints of the best `share` of the runs (at least one), ranked by `metric` (lower is better) of
        each run's last checkpoint."""
        final = self.last()
        count = max(1, round(share * len(final)))
        best = final.runs[final.metrics[metric].argsort(stable=True)[:count]]
        return self.take(torch.isin(self.runs, best))


@dataclass(frozen=True)
class LearntZoo:
    """A zoo whose training split holds what a model learnt from, and no other rows; the other splits are whole.

    Attributes:
        zoo: the whole.
        learnt: canonical name of a structure to the rows of it that were learnt from.
        matched: what was done to the weights that were learnt from and is to be done to those of other splits, so that
            they can be compared (`zoo.aligned`); None leaves them as they are.
    """

    zoo: "Zoo"
    learnt: Callable[[str], CheckpointSet]
    matched: Callable[[CheckpointSet], CheckpointSet] | None = None

    @property
    def plan(self) -> ZooPlan:
        return self.zoo.plan

    def select(self, structure: str, split: Split) -> CheckpointSet:
        """As `Zoo.select`."""
        if split != "train":
            rows = self.zoo.select(structure, split)
            return rows if self.matched is None else self.matched(rows)
        return self.learnt(self.zoo.task.canonical(structure))


class Zoo:
    """The rows of a plan's cohorts in a store.

    Args:
        store: where the parts lie.
        plan: which parts make the zoo.
        task: makes targets.
    """

    def __init__(self, store: ArtifactStore, plan: ZooPlan, task: Task) -> None:
        self.store, self.plan, self.task = store, plan, task

    def select(self, structure: str, split: Split, last: int | None = None) -> CheckpointSet:
        """Checkpoints of a structure and a split, [R, D] and what belongs to them.

        Args:
            structure: in any spelling that the task accepts.
            split: `train`, `validation` or `test`.
            last: only the last so many checkpoints of every run; None for all.

        Raises:
            ZoogenError: the zoo has no such structure, lacks parts of it, or has fewer checkpoints than asked for.
            DamagedError: a part is damaged.
        """
        name = self._structure(structure)
        target = self.plan.targets[name]
        self.require([name], split)
        if not self.plan.runs_of(split, name):
            named = ", or name it in zoo.held_out" if self.plan.runs_of(split) else ""
            raise ZoogenError(
                f"zoo {self.plan.digest} has no {split} runs of {target.label}; set zoo.{_COUNT_KEY[split]} to 1 or "
                f"more{named}"
            )
        rows = Selection(target.layout.size, split, self.plan.runs_of(split, name), last)
        for _ in self._each(self._parts(name, split), lambda file, _: rows.add(file)):
            pass
        if not rows.most:
            which = f"every {split} checkpoint of {target.label} ({name})"
            raise ZoogenError(f"{which} diverged; lower the learning rate and build again")
        if last is not None and not 1 <= last <= rows.most:
            asked = f"the last {last} checkpoints of each {split} run of {target.label} ({name})"
            raise ZoogenError(
                f"asked for {asked}, the zoo has {rows.most}; ask for 1 to {rows.most} or train with more checkpoints"
            )
        return _checkpoints(target, rows)

    def require(self, structures: Sequence[str] | None = None, split: Split | None = None) -> None:
        """Make sure that the parts of the structures (default: all) are there.

        Raises:
            ZoogenError: naming what lacks and how to get it.
        """
        names = list(self.plan.structures) if structures is None else [self._structure(s) for s in structures]
        missing = [c for c in missing_cohorts(self.plan, self.store, names) if split is None or split in _splits_of(c)]
        if missing:
            if reason := next(filter(None, map(self.task.unavailable, names)), ""):
                raise ZoogenError(f"a zoo in {self.store.uri} cannot be told without what it was made of: {reason}")
            lacking = []
            for name in dict.fromkeys(c.structure for c in missing):
                have = len(of := self.plan.cohorts_of(name, split)) - sum(c.structure == name for c in missing)
                lacking.append(f"{self.plan.targets[name].label} ({name}) has {have} of {len(of)} cohorts")
            shown = "; ".join(lacking[:4]) + (f"; and {len(lacking) - 4} more structures" if len(lacking) > 4 else "")
            where = f"zoo {self.plan.digest} in {self.store.uri}"
            raise ZoogenError(f"{where} is incomplete: {shown}; run `zoogen build-zoo` with the same configuration")

    def table(self, structure: str, split: Split | None = None) -> pa.Table:
        """Rows of one structure as an Arrow table, all columns but the weights; cohort by cohort, run by run.

        Raises:
            ZoogenError: the zoo has no such structure or lacks parts of it.
            DamagedError: a part is damaged.
        """
        name = self._structure(structure)
        self.require([name], split)

        def rows(file: PartFile, part: PartName) -> pa.Table:
            return file.columns.take(pa.array(_order(file, part, split)))

        # Parts whose checkpoints all diverged have no metric columns: fill those with nulls.
        return pa.concat_tables(self._each(self._parts(name, split), rows), promote_options="default")

    def weights(self, structure: str, split: Split | None = None) -> Iterator[np.ndarray]:
        """Weights of the rows of `table`, cohort by cohort, each [R, D] float32.

        Raises:
            ZoogenError, DamagedError: as `table`.
        """
        name = self._structure(structure)
        self.require([name], split)
        for part in self._parts(name, split):
            file = open_part(self.store, part)
            order = _order(file, part, split)
            weights, places = np.empty((len(order), file.size), np.float32), order.argsort()
            file.weights(order[places], weights, places)
            yield weights

    def training_seconds(self, structure: str | None = None, split: Split | None = None) -> float:
        """Wall-clock training time of all cohorts (of one structure, with runs of a split), summed over workers."""
        names = list(self.plan.structures) if structure is None else [self._structure(structure)]
        self.require(names)
        parts = [part for name in names for part in self._parts(name, split)]
        return sum(self._each(parts, lambda file, _: float(file.metadata["training_seconds"])))

    def diverged(self) -> int:
        """Checkpoints of all cohorts that were left out because their weights are not finite."""
        self.require()
        parts = [part for name in self.plan.structures for part in self._parts(name, None)]
        return sum(self._each(parts, lambda file, _: len(file.metadata["diverged"])))

    def _structure(self, structure: str) -> str:
        name = self.task.canonical(structure)
        if name not in self.plan.targets:
            known = ", ".join(f"{t.label} ({s})" for s, t in self.plan.targets.items())
            raise ZoogenError(
                f"the zoo holds no structure {shown(structure)}; it holds {known}: add it to zoo.structures"
            )
        return name

    def _parts(self, name: str, split: Split | None) -> list[PartName]:
        return parts_of(self.plan.cohorts_of(name, split), self.task)

    def _each(self, parts: Sequence[PartName], use: Callable[[PartFile, PartName], T]) -> Iterator[T]:
        """What `use` makes of each part, in order."""

        def opened(part: PartName) -> T:
            return use(open_part(self.store, part), part)

        if self.store.root is not None or len(parts) < 2:
            yield from map(opened, parts)
            return
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            yield from pool.map(opened, parts)


_COUNT_KEY = {"train": "runs", "validation": "validation_runs", "test": "test_runs"}


def _splits_of(spec: CohortSpec) -> set[Split]:
    return {split_of(run.run) for run in spec.runs}


def _checkpoints(target: Target, rows: Selection) -> CheckpointSet:
    runs = rows.column("run", np.int64)
    first = np.unique(runs, return_index=True)[1]
    return CheckpointSet(
        target,
        torch.from_numpy(rows.weights()),
        torch.from_numpy(runs),
        torch.from_numpy(rows.column("step", np.int64)),
        {name: torch.from_numpy(rows.column(name, np.float64)) for name in rows.metrics},
        training_seconds=float(rows.column("seconds", np.float64)[first].sum()),
    )


def _order(file: PartFile, part: PartName, split: Split | None) -> np.ndarray:
    """Rows of a part (those of a split), run by run in the order of the cohort, [R]."""
    table = file.columns
    place = {run: index for index, run in enumerate(part.runs)}
    runs = np.array([place[run] for run in table["run"].to_pylist()], np.int64)
    order = np.lexsort((table["checkpoint"].to_numpy(), runs))
    return order if split is None else order[table["split"].to_numpy()[order] == split]
