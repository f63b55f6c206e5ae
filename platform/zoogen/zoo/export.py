"""Listing the zoos of a store, and taking their rows elsewhere: pandas, Parquet, CSV, safetensors."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from zoogen import identity
from zoogen.config import parse_config
from zoogen.errors import DamagedError, ZoogenError
from zoogen.seal import unsealed_json
from zoogen.shown import clipped, shown
from zoogen.splits import Split
from zoogen.tasks.base import Task
from zoogen.weights.files import write_bytes, write_weights
from zoogen.zoo.build import manifest_key, plan_manifest_key
from zoogen.zoo.manifest import Manifest, checked_manifest
from zoogen.zoo.part_file import BUILD_AGAIN
from zoogen.zoo.plan import ZooConfig, ZooPlan, canonical_config, plan_zoo, split_of, structure_key
from zoogen.zoo.read import Zoo
from zoogen.zoo.store import ArtifactStore
from zoogen.zoo.verify import PartName, look

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ZooListing:
    """One zoo of a store.

    Attributes:
        digest: names the zoo.
        task: kind of its task.
        structures: canonical names.
        runs: runs per structure by split, those of the structure with the most.
        fewest: training runs of the structure with the fewest.
        cohorts_done, cohorts_expected: parts that are there and are this zoo's, and parts of the whole zoo.
        damaged: why other parts cannot be used, one line each. Weights are not read for it.
        config, task_config: resolved configurations, as the manifest has them.
        contents: structure to the hashes of what was loaded for it (`Task.content`), where there was any.
    """

    digest: str
    task: str
    structures: tuple[str, ...]
    runs: Mapping[str, int]
    cohorts_done: int
    cohorts_expected: int
    config: Mapping[str, Any]
    task_config: Mapping[str, Any]
    damaged: tuple[str, ...] = ()
    contents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    fewest: int = 0

    @property
    def complete(self) -> bool:
        return self.cohorts_done == self.cohorts_expected

    @property
    def content(self) -> str:
        """Names what was loaded for its structures, 8 hexadecimal digits; empty if nothing was."""
        return identity.digest(dict(self.contents))[:8] if self.contents else ""

    def is_of(self, config: ZooConfig, task: Task) -> bool:
        """Whether it was planned by this configuration, whatever was loaded then."""
        canonical = canonical_config(config, task).model_dump(mode="json")
        return canonical == dict(self.config) and task.identity() == dict(self.task_config)


def list_zoos(store: ArtifactStore) -> list[ZooListing]:
    """All zoos whose building has begun, finished or not, by digest."""
    keys = [key for key in store.list("zoo") if key.endswith(".json")]
    digests = sorted({Path(key).stem for key in keys})
    return [_listing(store, read_manifest(store, digest)) for digest in digests]


def find_zoo(store: ArtifactStore, digest: str) -> ZooListing:
    """The zoo whose digest begins with the given digits.

    Raises:
        ZoogenError: none does, or several do.
    """
    found = [z for z in list_zoos(store) if z.digest.startswith(digest)]
    if len(found) != 1:
        there = ", ".join(z.digest for z in (found or list_zoos(store))) or "none"
        problem = f"{len(found)} zoos begin" if found else "no zoo begins"
        raise ZoogenError(f"{problem} with {shown(digest)} in {store.uri}; give one of: {there}")
    return found[0]


def read_manifest(store: ArtifactStore, digest: str) -> Manifest:
    """The manifest of a zoo, or the plan of an unfinished one.

    Raises:
        DamagedError: it is damaged.
        ZoogenError: there is none.
    """
    reasons = []
    for key in (manifest_key(digest), plan_manifest_key(digest)):
        if not store.exists(key):
            continue
        try:
            return checked_manifest(unsealed_json(store.get(key)), digest)
        except ValueError as error:
            reasons.append((f"it is no manifest of a zoo: {error}", store.uri_of(key)))
    if not reasons:
        raise ZoogenError(f"there is no zoo {digest} in {store.uri}; build it with `zoogen build-zoo`")
    raise DamagedError(*reasons[0], BUILD_AGAIN)


def plan_of(listing: ZooListing, task: Task) -> ZooPlan:
    """The plan of a listed zoo; `task` must be the task that made it (`task_from_mapping(listing.task_config)`).

    What was loaded for its structures is taken from the listing, so that a zoo can be read where the data are not.

    Raises:
        ZoogenError: another version or another task made the zoo.
    """
    task = task.with_contents(listing.contents)
    plan = plan_zoo(parse_config(ZooConfig, dict(listing.config), f"zoo {listing.digest}"), task)
    if plan.digest != listing.digest:
        raise ZoogenError(
            f"zoo {listing.digest} was planned by another version of zoogen or of its task; build it again"
        )
    return plan


def rows_frame(
    zoo: Zoo, structures: Sequence[str] | None = None, split: Split | None = None, weights: bool = False
) -> "pd.DataFrame":
    """Rows as a pandas data frame; with `weights`, a column of float32 arrays [D]."""
    frame = _rows(zoo, structures, split).to_pandas()
    if weights:
        names = zoo.plan.structures if structures is None else structures
        frame["weights"] = [row for name in names for part in zoo.weights(name, split) for row in part]
    return frame


def export_table(
    zoo: Zoo,
    path: str | Path,
    structures: Sequence[str] | None = None,
    split: Split | None = None,
    weights: bool = False,
) -> int:
    """Write rows as one `.parquet` or `.csv` file; returns their number.

    With `weights` (Parquet only) a column of lists, since structures differ in length.

    Raises:
        ZoogenError: the zoo is incomplete, the suffix is another one, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix not in (".parquet", ".csv") or (weights and path.suffix == ".csv"):
        wanted = ".parquet" if weights else ".parquet or .csv"
        raise ZoogenError(f"cannot export rows to {path}: the name must end in {wanted}")
    table, buffer = _rows(zoo, structures, split), io.BytesIO()
    if path.suffix == ".csv":
        pa_csv.write_csv(table, buffer)
    elif weights:
        _write_with_weights(zoo, table, buffer, zoo.plan.structures if structures is None else structures, split)
    else:
        pq.write_table(table, buffer, compression="zstd")
    write_bytes(path, buffer.getvalue())
    return table.num_rows


def _write_with_weights(
    zoo: Zoo, table: pa.Table, buffer: io.BytesIO, structures: Sequence[str], split: Split | None
) -> None:
    """Cohort by cohort, so that no more than the weights of one are in memory beside what is written."""
    kind, done = pa.list_(pa.float32()), 0
    with pq.ParquetWriter(buffer, table.schema.append(pa.field("weights", kind)), compression="zstd") as writer:
        for weights in (part for name in structures for part in zoo.weights(name, split)):
            lists = pa.array(list(weights), kind)
            writer.write_table(table.slice(done, len(weights)).append_column("weights", lists))
            done += len(weights)


def export_safetensors(
    zoo: Zoo,
    folder: str | Path,
    structures: Sequence[str] | None = None,
    split: Split = "train",
    last: int | None = None,
) -> list[Path]:
    """Write one weights file per structure, tensors [R, *shape] by name; returns the paths.

    Metadata: what the task says of its files, and the zoo, the split, runs and steps of the rows.

    Raises:
        ZoogenError: the zoo is incomplete, or a file cannot be written.
    """
    paths = []
    for name in zoo.plan.structures if structures is None else structures:
        rows = zoo.select(name, split, last)
        target = rows.target
        metadata = {
            **zoo.task.file_metadata(target.structure),
            "task": zoo.task.name,
            "structure": target.structure,
            "zoo": zoo.plan.digest,
            "split": split,
            "runs": json.dumps(rows.runs.tolist()),
            "steps": json.dumps(rows.steps.tolist()),
        }
        path = Path(folder) / f"{structure_key(target.structure)}-{split}.safetensors"
        write_weights(path, target.layout, rows.weights, metadata)
        paths.append(path)
    return paths


def _rows(zoo: Zoo, structures: Sequence[str] | None, split: Split | None) -> pa.Table:
    names = zoo.plan.structures if structures is None else structures
    tables = [zoo.table(name, split) for name in names]
    # Structures too large for a judge lack its columns: those become nulls.
    return pa.concat_tables(tables, promote_options="default").replace_schema_metadata(None).combine_chunks()


def _listing(store: ArtifactStore, manifest: Manifest) -> ZooListing:
    parts = [PartName(c.key, c.digest, c.structure, tuple(c.runs)) for c in manifest.cohorts]
    presence = look(store, parts, thorough=False)
    return ZooListing(
        digest=manifest.digest,
        task=clipped(str(manifest.task.get("kind", ""))),
        structures=tuple(dict.fromkeys(part.structure for part in parts)),
        runs={split: len(runs) for split, runs in manifest.splits.items()},
        cohorts_done=len(parts) - len(presence.missing) - len(presence.damaged),
        cohorts_expected=len(parts),
        config=manifest.config,
        task_config=manifest.task,
        damaged=tuple(presence.damaged.values()),
        contents=manifest.contents,
        fewest=_fewest(parts),
    )


def _fewest(parts: Sequence[PartName]) -> int:
    runs = dict.fromkeys((part.structure for part in parts), 0)
    for part in parts:
        runs[part.structure] += sum(split_of(run) == "train" for run in part.runs)
    return min(runs.values(), default=0)
