"""Which runs make a zoo, and how they are cut into units of work.

The plan depends on the configuration and on what it makes a task load, by content, so that everybody who has
both names the same parts, and nobody else does. It is made to grow: raising `runs` keeps every full training
cohort and all held-out ones (only a last, partly filled training cohort is trained anew), and no run changes its split.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from zoogen.errors import ZoogenError
from zoogen.identity import derive_seed, digest
from zoogen.shown import clipped, shown
from zoogen.splits import SPLITS, Split
from zoogen.tasks.base import Task
from zoogen.tasks.records import CohortSpec, RunSpec
from zoogen.weights.target import Target
from zoogen.zoo.config import SPLIT_STRIDE, ZooConfig


@dataclass(frozen=True)
class ZooPlan:
    """The runs of a zoo as cohorts.

    Attributes:
        config: the configuration with canonical structure names.
        task: the task's configuration as far as it decides the zoo (`Task.identity`).
        targets: canonical structure name to its target, in the order of the configuration.
        cohorts: units of work, in the order in which they should be started.
        contents: canonical structure name to the hashes of what is loaded for it (`Task.content`), where there is any.
    """

    config: ZooConfig
    task: Mapping[str, Any]
    targets: Mapping[str, Target]
    cohorts: tuple[CohortSpec, ...]
    contents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """Names the zoo; covers the configuration, the task and every cohort."""
        return digest(self.manifest_content())

    def manifest_content(self) -> dict[str, Any]:
        """What the manifest says, without the digest itself (JSON-like, equal for equal plans)."""
        return {
            "format": 1,
            "config": self.config.model_dump(mode="json"),
            "task": dict(self.task),
            "cohorts": [
                {"digest": c.digest, "key": part_key(c), "structure": c.structure, "runs": [r.run for r in c.runs]}
                for c in self.cohorts
            ],
            "splits": {split: list(self.runs_of(split)) for split in SPLITS},  # of the structure with the most
            **({"contents": {name: dict(content) for name, content in self.contents.items()}} if self.contents else {}),
        }

    def split_of(self, run: int) -> Split:
        """Split of a run index."""
        return split_of(run)

    def runs_of(self, split: Split, structure: str | None = None) -> tuple[int, ...]:
        """Run indices of a split: those of a structure (canonical name), or all that any structure has."""
        return _runs_of(self.config, split, structure)

    def cohorts_of(self, structure: str, split: Split | None = None) -> tuple[CohortSpec, ...]:
        """Cohorts of a structure that hold at least one run of the split."""
        return tuple(
            c
            for c in self.cohorts
            if c.structure == structure and (split is None or any(split_of(r.run) == split for r in c.runs))
        )

    @property
    def structures(self) -> tuple[str, ...]:
        return tuple(self.targets)


def split_of(run: int) -> Split:
    """Split of a run index: it lies in the index itself.

    Raises:
        ZoogenError: no split has such an index.
    """
    if not 0 <= run < SPLIT_STRIDE * len(SPLITS):
        raise ZoogenError(f"run {run} belongs to no split; indices go from 0 to {SPLIT_STRIDE * len(SPLITS) - 1}")
    return SPLITS[run // SPLIT_STRIDE]


def structure_key(structure: str) -> str:
    """The structure's name as one segment of a key."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "-" for c in structure)


def part_key(spec: CohortSpec) -> str:
    """Key of the cohort's part."""
    return f"zoo/parts/{structure_key(spec.structure)}/{spec.digest}.parquet"


def plan_zoo(config: ZooConfig, task: Task) -> ZooPlan:
    """The plan of a zoo of `task`.

    Held-out runs (test, then validation) fill cohorts of their own, so that `runs` can grow without
    touching them. Cohorts are ordered structure by structure, as listed.

    Raises:
        ZoogenError: a structure is unknown, or named twice; runs are to start aligned, and the task or a structure has
            no such initial weights.
    """
    config = canonical_config(config, task)
    names = config.structures
    aligned = config.initialisation == "aligned"
    if aligned:
        _require_aligned_starts(task, names)
    cohorts = tuple(
        CohortSpec(task.resolved_for(name), name, tuple(_run(config, name, run) for run in runs), aligned)
        for name in names
        for split_runs in (_runs_of(config, "train", name), _held_out_runs(config, name))
        for runs in _chunks(split_runs, config.cohort)
    )
    contents = {name: content for name in names if (content := task.content(name))}
    return ZooPlan(config, task.identity(), {name: task.target(name) for name in names}, cohorts, contents)


def _require_aligned_starts(task: Task, names: Sequence[str]) -> None:
    try:
        task.aligned(names[0], [0])
        for name in names:
            task.tokens(name)  # what lies beyond its coordinates has no aligned start either
    except ZoogenError as error:
        raise ZoogenError(f"zoo.initialisation is aligned, but {error}; take shared or independent") from None


def canonical_config(config: ZooConfig, task: Task) -> ZooConfig:
    """The configuration with canonical structure names, for which nothing is loaded.

    Raises:
        ZoogenError: a structure is unknown, or named twice; `runs_of` or `held_out` names one that the zoo does
            not have.
    """
    names = [task.canonical(structure) for structure in config.structures]
    for index, name in enumerate(names):
        if name in names[:index]:
            again = shown(config.structures[index])
            raise ZoogenError(f"zoo.structures names {clipped(name)} twice (as {again}); drop one of them")
    given = {"structures": tuple(names), "runs_of": _canonical_runs(config, task, names)}
    if config.held_out is not None:
        given["held_out"] = _canonical_held_out(config.held_out, task, names)
    return config.model_copy(update=given)


def _canonical_held_out(given: Sequence[str], task: Task, names: Sequence[str]) -> tuple[str, ...]:
    wanted = [task.canonical(name) for name in given]
    for spelling, name in zip(given, wanted, strict=True):
        if name not in names:
            raise ZoogenError(f"zoo.held_out names {shown(spelling)}, which zoo.structures lacks; add it or drop it")
    return tuple(name for name in names if name in wanted)


def _canonical_runs(config: ZooConfig, task: Task, names: Sequence[str]) -> dict[str, int]:
    runs: dict[str, int] = {}
    for given, count in config.runs_of.items():
        name = task.canonical(given)
        if name not in names:
            raise ZoogenError(f"zoo.runs_of names {shown(given)}, which zoo.structures lacks; add it there or drop it")
        if name in runs:
            raise ZoogenError(f"zoo.runs_of names {clipped(name)} twice (as {shown(given)}); drop one of them")
        runs[name] = count
    return {name: runs[name] for name in names if name in runs}


def _runs_of(config: ZooConfig, split: Split, structure: str | None = None) -> tuple[int, ...]:
    most = max(map(config.training_runs, config.structures))
    training = most if structure is None else config.training_runs(structure)
    counts = {"train": training, "validation": config.validation_runs, "test": config.test_runs}
    if split != "train" and structure is not None and config.held_out is not None and structure not in config.held_out:
        return ()
    first = SPLITS.index(split) * SPLIT_STRIDE
    return tuple(range(first, first + counts[split]))


def _held_out_runs(config: ZooConfig, structure: str) -> tuple[int, ...]:
    return (*_runs_of(config, "test", structure), *_runs_of(config, "validation", structure))


def _run(config: ZooConfig, structure: str, run: int) -> RunSpec:
    return RunSpec(
        run, seed=derive_seed("training", config.seed, structure, run), init_seed=_init_seed(config, structure, run)
    )


def _init_seed(config: ZooConfig, structure: str, run: int) -> int:
    if config.initialisation == "aligned":
        style = run if config.styles is None else run % SPLIT_STRIDE % config.styles
        return derive_seed("style", config.seed, style)
    # A shared initialisation is shared by all structures too: where shapes agree, so do the weights.
    own = [] if config.initialisation == "shared" else [structure, run]
    return derive_seed("initialisation", config.seed, *own)


def _chunks(runs: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(runs), size):
        yield runs[start : start + size]
