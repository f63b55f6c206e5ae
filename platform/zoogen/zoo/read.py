"""Reading a zoo: checkpoints of a structure and a split as tensors."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.tasks.base import Task
from zoogen.tasks.records import CohortSpec
from zoogen.weights.target import Target
from zoogen.zoo.build import missing_cohorts
from zoogen.zoo.parts import open_part, part_metadata, weights_of
from zoogen.zoo.plan import Split, ZooPlan, part_key, split_of
from zoogen.zoo.store import ArtifactStore

_PARALLEL_READS = 8  # of a remote store, where waiting is most of the reading


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
        keep = torch.zeros(len(self), dtype=torch.bool)
        for run in self.runs.unique():
            keep[(self.runs == run).nonzero().flatten()[-count:]] = True
        return self.take(keep)

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
        learnt: the rows that were learnt from, one set per structure.
        matched: what was done to the weights that were learnt from and is to be done to those of other splits, so that
            they can be compared (`zoo.aligned`); None leaves them as they are.
    """

    zoo: "Zoo"
    learnt: Sequence[CheckpointSet]
    matched: Callable[[CheckpointSet], CheckpointSet] | None = None

    @property
    def plan(self) -> ZooPlan:
        return self.zoo.plan

    def select(self, structure: str, split: Split) -> CheckpointSet:
        """As `Zoo.select`."""
        if split != "train":
            rows = self.zoo.select(structure, split)
            return rows if self.matched is None else self.matched(rows)
        name = self.zoo.task.canonical(structure)
        found = next((rows for rows in self.learnt if rows.target.structure == name), None)
        return found if found is not None else self.zoo.select(structure, split)


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
        """
        name = self._structure(structure)
        target = self.plan.targets[name]
        self.require([name], split)
        if not self.plan.runs_of(split):
            raise ZoogenError(f"zoo {self.plan.digest} has no {split} runs; set zoo.{_COUNT_KEY[split]} to 1 or more")
        tables = [t for t in self._tables(self.plan.cohorts_of(name, split), split) if t.num_rows]
        if not tables:
            which = f"every {split} checkpoint of {target.label} ({name})"
            raise ZoogenError(f"{which} diverged; lower the learning rate and build again")
        rows = _checkpoints(target, tables)
        if last is None:
            return rows
        most = int(torch.bincount(rows.runs - rows.runs.min()).max())
        if last < 1 or most < last:
            asked = f"the last {last} checkpoints of each {split} run of {target.label} ({name})"
            raise ZoogenError(
                f"asked for {asked}, the zoo has {most}; ask for 1 to {most} or train with more checkpoints"
            )
        return rows.last(last)

    def require(self, structures: Sequence[str] | None = None, split: Split | None = None) -> None:
        """Make sure that the parts of the structures (default: all) are there.

        Raises:
            ZoogenError: naming what lacks and how to get it.
        """
        names = list(self.plan.structures) if structures is None else [self._structure(s) for s in structures]
        missing = [c for c in missing_cohorts(self.plan, self.store, names) if split is None or split in _splits_of(c)]
        if missing:
            lacking = []
            for name in dict.fromkeys(c.structure for c in missing):
                have = len(of := self.plan.cohorts_of(name, split)) - sum(c.structure == name for c in missing)
                lacking.append(f"{self.plan.targets[name].label} ({name}) has {have} of {len(of)} cohorts")
            shown = "; ".join(lacking[:4]) + (f"; and {len(lacking) - 4} more structures" if len(lacking) > 4 else "")
            where = f"zoo {self.plan.digest} in {self.store.uri}"
            raise ZoogenError(f"{where} is incomplete: {shown}; run `zoogen build-zoo` with the same configuration")

    def table(
        self,
        structure: str,
        split: Split | None = None,
        columns: Sequence[str] | None = None,
        without: Sequence[str] = (),
    ) -> pa.Table:
        """Rows of one structure as an Arrow table: all columns, or `columns`, and not those in `without`.

        Raises:
            ZoogenError: the zoo has no such structure or lacks parts of it.
        """
        name = self._structure(structure)
        self.require([name], split)
        tables = list(self._tables(self.plan.cohorts_of(name, split), split, columns, without))
        # Parts whose checkpoints all diverged have no metric columns: fill those with nulls.
        return pa.concat_tables(tables, promote_options="default")

    def training_seconds(self, structure: str | None = None, split: Split | None = None) -> float:
        """Wall-clock training time of all cohorts (of one structure, with runs of a split), summed over workers."""
        names = list(self.plan.structures) if structure is None else [self._structure(structure)]
        self.require(names)
        cohorts = [c for name in names for c in self.plan.cohorts_of(name, split)]
        return sum(float(part_metadata(self._open(c))["training_seconds"]) for c in cohorts)

    def _structure(self, structure: str) -> str:
        name = self.task.canonical(structure)
        if name not in self.plan.targets:
            known = ", ".join(f"{t.label} ({s})" for s, t in self.plan.targets.items())
            raise ZoogenError(f"the zoo holds no structure {structure!r}; it holds {known}: add it to zoo.structures")
        return name

    def _open(self, spec: CohortSpec):  # type: ignore[no-untyped-def]  # pyarrow has no types
        key = part_key(spec)
        path = self.store.local_path_of(key)
        return open_part(str(path) if path is not None else self.store.get(key), self.store.uri_of(key))

    def _tables(
        self,
        cohorts: Sequence[CohortSpec],
        split: Split | None,
        columns: Sequence[str] | None = None,
        without: Sequence[str] = (),
    ) -> Iterator[pa.Table]:
        def read(spec: CohortSpec) -> pa.Table:
            file = self._open(spec)
            there = file.schema_arrow.names
            wanted = [c for c in there if (columns is None or c in columns) and c not in without]
            table = file.read(columns=list(dict.fromkeys([*wanted, "split"])))
            if split is not None:
                table = table.filter(pc.equal(table["split"], split))
            return table.select(wanted)

        if self.store.root is not None or len(cohorts) < 2:
            yield from map(read, cohorts)
            return
        with ThreadPoolExecutor(_PARALLEL_READS) as pool:
            yield from pool.map(read, cohorts)


_COUNT_KEY = {"train": "runs", "validation": "validation_runs", "test": "test_runs"}


def _splits_of(spec: CohortSpec) -> set[Split]:
    return {split_of(run.run) for run in spec.runs}


def _checkpoints(target: Target, tables: Sequence[pa.Table]) -> CheckpointSet:
    for table in tables:
        if table["weights"].type.shape[0] != target.layout.size:
            sizes = f"{table['weights'].type.shape[0]} weights, the task needs {target.layout.size}"
            raise ZoogenError(f"parts of {target.structure} hold {sizes}; build the zoo again under a new root")

    def numbers(name: str, kind: type) -> np.ndarray:
        parts = [
            t[name].to_numpy().astype(kind) if name in t.column_names else np.full(t.num_rows, np.nan) for t in tables
        ]
        return np.concatenate(parts)

    names = dict.fromkeys(c for t in tables for c in t.column_names if "." in c)
    runs, steps = numbers("run", np.int64), numbers("step", np.int64)
    seconds = dict(zip(runs.tolist(), numbers("seconds", np.float64).tolist(), strict=True))
    # Held-out cohorts may list their runs in another order: rows go by run, then by step.
    order = torch.from_numpy(np.lexsort((steps, runs)))
    rows = CheckpointSet(
        target,
        torch.from_numpy(np.concatenate([weights_of(t) for t in tables])),
        torch.from_numpy(runs),
        torch.from_numpy(steps),
        {name: torch.from_numpy(numbers(name, np.float64)) for name in names},
        training_seconds=sum(seconds.values()),
    )
    return rows.take(order)
