"""Rows of a zoo: one checkpoint each, in one Parquet file per cohort.

Columns: `id, task, structure, label, split, run, seed, init_seed, step, checkpoint`, the task's own
text columns (objective, optimiser, …), `weights` (fixed-shape tensor, float32 [D]), the training's
figures as `training.<name>`, the judge's metrics as `<group>.<metric>`, `seconds` (training time of
one run: the cohort's time shared by its runs), versions, `git_revision` and `cohort`.
"""

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.tasks.records import Cohort, Scores
from zoogen.zoo.plan import split_of
from zoogen.zoo.provenance import Provenance

ROW_GROUP = 64  # rows: small enough to read the end of a run without the rest
METADATA_KEY = b"zoogen"


def finite_rows(weights: Tensor) -> Tensor:
    """Which checkpoints have finite weights throughout, [M, C, D] to [M, C] bool."""
    return torch.isfinite(weights).all(dim=-1)


def cohort_table(
    cohort: Cohort, scores: Scores | None, keep: Tensor, label: str, run_columns: Mapping[str, str], made_by: Provenance
) -> pa.Table:
    """The rows of a cohort, run by run, checkpoint by checkpoint.

    Args:
        cohort: M runs with C checkpoints.
        scores: metrics of the R kept checkpoints in the order of the rows; None if R = 0.
        keep: which checkpoints become rows, [M, C] bool with R true.
        label: short name of the structure.
        run_columns: text columns that all rows share (`Task.describe_run`).
        made_by: versions.

    Raises:
        ValueError: the task names one of the fixed columns, or metrics do not fit the rows.
    """
    spec, rows = cohort.spec, int(keep.sum())
    run_index, checkpoint = (index.numpy() for index in keep.nonzero(as_tuple=True))
    steps = cohort.steps.cpu().numpy().astype(np.int64)[checkpoint]
    runs = [spec.runs[m] for m in run_index]
    columns: dict[str, pa.Array] = {
        "id": pa.array([f"{spec.digest}-{r.run}-{step}" for r, step in zip(runs, steps, strict=True)], pa.string()),
        **_constant(rows, {"task": str(spec.task.get("kind", "")), "structure": spec.structure, "label": label}),
        "split": pa.array([split_of(r.run) for r in runs], pa.string()),
        "run": pa.array([r.run for r in runs], pa.int64()),
        "seed": pa.array([r.seed for r in runs], pa.int64()),
        "init_seed": pa.array([r.init_seed for r in runs], pa.int64()),
        "step": pa.array(steps, pa.int64()),
        "checkpoint": pa.array(checkpoint.astype(np.int64), pa.int64()),
    }
    own: dict[str, pa.Array] = _constant(rows, {**run_columns, **cohort.columns})
    weights = cohort.weights[keep].detach().cpu().to(torch.float32).contiguous()
    own["weights"] = _tensor_column(weights)
    for name, values in cohort.training.items():
        own[f"training.{name}"] = pa.array(values.detach().cpu()[keep].to(torch.float64).numpy(), pa.float64())
    for name, values in (scores.flat() if scores is not None else {}).items():
        if len(values) != rows:
            raise ValueError(f"metric {name} has {len(values)} values for {rows} checkpoints")
        own[name] = pa.array(values.detach().cpu().to(torch.float64).numpy(), pa.float64())
    own["seconds"] = pa.array(np.full(rows, cohort.seconds / max(1, len(spec.runs))), pa.float64())
    own |= _constant(rows, {**made_by.columns(), "cohort": spec.digest})
    if clash := columns.keys() & own.keys():
        raise ValueError(f"the task names columns of its own like fixed ones: {', '.join(sorted(clash))}")
    return pa.table({**columns, **own})


def table_to_parquet(table: pa.Table, metadata: Mapping[str, Any]) -> bytes:
    """The bytes of a part; `metadata` is JSON-like and travels in the file's schema."""
    schema_metadata = {**(table.schema.metadata or {}), METADATA_KEY: json.dumps(metadata, sort_keys=True).encode()}
    text = [field.name for field in table.schema if pa.types.is_string(field.type)]
    buffer = io.BytesIO()
    # Bytes of one significance beside each other: weights and figures compress far better so (no dictionary then).
    floats = {field.name: "BYTE_STREAM_SPLIT" for field in table.schema if pa.types.is_float64(field.type)}
    pq.write_table(
        table.replace_schema_metadata(schema_metadata),
        buffer,
        compression="zstd",
        row_group_size=ROW_GROUP,
        use_dictionary=text,
        column_encoding={"weights.list.element": "BYTE_STREAM_SPLIT", **floats},
    )
    return buffer.getvalue()


def open_part(data: bytes | str, where: str) -> pq.ParquetFile:
    """A part from its bytes or from a local path.

    Raises:
        ZoogenError: it is no Parquet file with a zoo's rows.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(data) if isinstance(data, bytes) else data)
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:120]
        raise ZoogenError(f"{where} is no readable part of a zoo ({reason}); remove it and build again") from None
    if METADATA_KEY not in (file.schema_arrow.metadata or {}):
        raise ZoogenError(f"{where} was not written by zoogen; remove it and build the zoo again")
    return file


def part_metadata(file: pq.ParquetFile) -> dict[str, Any]:
    """What `table_to_parquet` was given as metadata."""
    return json.loads(file.schema_arrow.metadata[METADATA_KEY])


def weights_of(table: pa.Table) -> np.ndarray:
    """The column `weights` as one array, [R, D] float32."""
    column = table["weights"]
    size = column.type.shape[0]
    chunks = [chunk.to_numpy_ndarray() for chunk in column.chunks if len(chunk)]
    return np.concatenate(chunks) if chunks else np.empty((0, size), np.float32)


def _tensor_column(weights: Tensor) -> pa.Array:
    kind = pa.fixed_shape_tensor(pa.float32(), [weights.shape[1]])
    flat = pa.array(weights.numpy().reshape(-1), pa.float32())
    return pa.ExtensionArray.from_storage(kind, pa.FixedSizeListArray.from_arrays(flat, weights.shape[1]))


def _constant(rows: int, values: Mapping[str, str]) -> dict[str, pa.Array]:
    return {name: pa.repeat(pa.scalar(value, pa.string()), rows) for name, value in values.items()}
