"""Whether a part is whole, and the cohort's whose name it bears."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from zoogen.errors import DamagedError, ZoogenError
from zoogen.tasks.base import Task
from zoogen.tasks.records import CohortSpec
from zoogen.zoo.part_file import PartBytes, PartFile
from zoogen.zoo.parts import FIXED_COLUMNS, WEIGHTS
from zoogen.zoo.plan import part_key, split_of, structure_key
from zoogen.zoo.store import ArtifactStore

PARALLEL_READS = 8  # of a remote store, where waiting is most of the reading
_WHOLE: set[tuple[str, str, "PartName"]] = set()  # stores, versions and parts that this process has compared with seals


@dataclass(frozen=True)
class PartName:
    """What a part is to be.

    Attributes:
        key: where it lies.
        cohort: digest.
        structure: canonical name.
        runs: in order.
        size: length D of its weights, None if that is not known.
        shared: text columns that are the same in all of its rows (`Task.shared`).
    """

    key: str
    cohort: str
    structure: str
    runs: tuple[int, ...]
    size: int | None = None
    shared: tuple[tuple[str, str], ...] = ()


def parts_of(cohorts: Sequence[CohortSpec], task: Task | None = None) -> list[PartName]:
    """The parts of cohorts; a task tells more of what they are to be."""
    size: dict[str, int | None] = {}
    shared: dict[str, tuple[tuple[str, str], ...]] = {}
    for name in dict.fromkeys(cohort.structure for cohort in cohorts):
        size[name] = None if task is None else task.layout(name).size
        shared[name] = () if task is None else tuple(task.shared(name).items())
    return [
        PartName(
            part_key(c), c.digest, c.structure, tuple(r.run for r in c.runs), size[c.structure], shared[c.structure]
        )
        for c in cohorts
    ]


def open_part(store: ArtifactStore, name: PartName) -> PartFile:
    """A part whose name, rows and columns were checked; its weights are compared with their seal as they are read.

    Raises:
        DamagedError: it is no whole part, or another's.
        ZoogenError: it is not there, or the store cannot be read.
    """
    data = PartBytes(store.size(name.key), lambda places: store.read_into(name.key, places))
    file = PartFile(data, store.uri_of(name.key))
    try:
        wrong = _wrong(file, name)
    except ZoogenError:
        raise
    except Exception as error:  # metadata of another form
        wrong = f"{type(error).__name__}: {error}"
    if wrong:
        raise file.damaged(wrong)
    return file


def _wrong(file: PartFile, name: PartName) -> str:
    """What is not as the part's name promises, empty if all is."""
    metadata, schema = file.metadata, file.schema
    if metadata.get("cohort") != name.cohort:
        return f"it is the part of cohort {metadata.get('cohort')} of {metadata.get('structure')}"
    if metadata.get("structure") != name.structure or metadata.get("runs") != list(name.runs):
        return f"it is of structure {metadata.get('structure')} and runs {metadata.get('runs')}"
    types = dict(zip(schema.names, schema.types, strict=True))
    lacking = [column for column in metadata.get("columns", [WEIGHTS]) if column not in types]
    lacking += [column for column, kind in FIXED_COLUMNS.items() if types.get(column) != kind]
    if lacking or schema.names[-1] != WEIGHTS or not isinstance(types[WEIGHTS], pa.FixedShapeTensorType):
        return f"columns are missing: {', '.join(lacking[:4]) or WEIGHTS}"
    shape = types[WEIGHTS].shape
    if types[WEIGHTS].value_type != pa.float32() or len(shape) != 1 or name.size not in (None, shape[0]):
        return f"its weights have shape {shape}, the task's have [{name.size}]"
    return _wrong_rows(file, name)


def _wrong_rows(file: PartFile, name: PartName) -> str:
    """Rows are runs × steps, less the diverged ones."""
    steps, runs = np.array(file.metadata["steps"], np.int64), np.array(name.runs, np.int64)
    place = {run: index for index, run in enumerate(name.runs)}
    keep = np.ones((len(steps), len(runs)), bool)
    for run, step in file.metadata["diverged"]:
        keep[np.flatnonzero(steps == step), place[run]] = False
    checkpoint, index = keep.nonzero()
    table = file.columns
    expected = {"run": runs[index], "step": steps[checkpoint], "checkpoint": checkpoint}
    if len(table) != len(index) or sum(file.rows) != len(index):
        return f"it holds {len(table)} rows, not {len(index)}"
    if not all((table[column].to_numpy() == values).all() for column, values in expected.items()):
        return "its rows are not those of its runs and steps"
    if table["split"].to_pylist() != [split_of(run) for run in expected["run"].tolist()]:
        return "runs are in the wrong split"
    for column, value in (("cohort", name.cohort), *name.shared):
        if others := set(table[column].unique().to_pylist()) - {value}:
            return f"it has rows of {column} {min(others)}, not {value}"
    return ""


def damage_of(store: ArtifactStore, name: PartName, *, thorough: bool = True) -> DamagedError | None:
    """Why a part cannot be used; None if it can.

    Args:
        thorough: also compare all of its content with its seal, which reads it.
    """
    try:
        file = open_part(store, name)
        if thorough:
            file.verify()
    except DamagedError as error:
        return error
    return None


@dataclass(frozen=True)
class Presence:
    """What of some cohorts' parts is there.

    Attributes:
        missing: keys without a part.
        damaged: keys of parts that cannot be used, to why.
    """

    missing: tuple[str, ...]
    damaged: dict[str, str]


def look(store: ArtifactStore, parts: Sequence[PartName], *, thorough: bool = True) -> Presence:
    """Which parts are missing, and which are damaged. Those that this process has found whole are not read again."""
    versions: dict[str, str] = {}
    for structure in dict.fromkeys(name.structure for name in parts):
        versions |= store.versions(f"zoo/parts/{structure_key(structure)}")
    there = [name for name in parts if name.key in versions]
    unknown = [name for name in there if (store.uri, versions[name.key], name) not in _WHOLE]
    with ThreadPoolExecutor(PARALLEL_READS if store.root is None else 1) as pool:
        damage = list(pool.map(lambda name: damage_of(store, name, thorough=thorough), unknown))
    if thorough:
        whole = [name for name, why in zip(unknown, damage, strict=True) if not why]
        _WHOLE.update((store.uri, versions[name.key], name) for name in whole)
    damaged = {name.key: str(why) for name, why in zip(unknown, damage, strict=True) if why}
    return Presence(tuple(name.key for name in parts if name.key not in versions), damaged)
