"""Parts of a zoo: the rows of a cohort, one checkpoint each, in one Parquet file.

Columns: `id, task, structure, label, split, run, seed, init_seed, step, checkpoint`, the task's own
text columns (objective, optimiser, …), the training's figures as `training.<name>`, the judge's metrics as
`<group>.<metric>`, `seconds` (training time of one run: the cohort's time shared by its runs), versions,
`git_revision` and `cohort`, and at last `weights` (fixed-shape tensor, float32 [D]). Rows go by checkpoint, then by
run: the ends of all runs are neighbours, and are read without the rest.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from zoogen.tasks.records import COHORT_FORMAT, Cohort, Scores
from zoogen.zoo.part_file import sealed_parquet
from zoogen.zoo.plan import split_of
from zoogen.zoo.provenance import Provenance

WEIGHTS = "weights"
FIXED_COLUMNS = {
    **dict.fromkeys(("id", "task", "structure", "label", "split", "cohort"), pa.string()),
    **dict.fromkeys(("run", "seed", "init_seed", "step", "checkpoint"), pa.int64()),
    "seconds": pa.float64(),
}
_ROW_GROUP_WEIGHTS = 1 << 21  # weights of a row group (8 MiB): what is decoded at once
_ROW_GROUP_ROWS = 4096


def finite_rows(weights: Tensor) -> Tensor:
    """Which checkpoints have finite weights throughout, [M, C, D] to [M, C] bool."""
    return torch.isfinite(weights).all(dim=-1)


def cohort_table(
    cohort: Cohort, scores: Scores | None, keep: Tensor, label: str, run_columns: Mapping[str, str], made_by: Provenance
) -> pa.Table:
    """The rows of a cohort, checkpoint by checkpoint, run by run.

    Args:
        cohort: M runs with C checkpoints.
        scores: metrics of the R kept checkpoints, run by run, checkpoint by checkpoint; None if R = 0.
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
    for name, values in cohort.training.items():
        own[f"training.{name}"] = pa.array(values.detach().cpu()[keep].to(torch.float64).numpy(), pa.float64())
    for name, values in (scores.flat() if scores is not None else {}).items():
        if len(values) != rows:
            raise ValueError(f"metric {name} has {len(values)} values for {rows} checkpoints")
        own[name] = pa.array(values.detach().cpu().to(torch.float64).numpy(), pa.float64())
    own["seconds"] = pa.array(np.full(rows, cohort.seconds / max(1, len(spec.runs))), pa.float64())
    own |= _constant(rows, {**made_by.columns(), "cohort": spec.digest})
    if clash := (columns.keys() | {WEIGHTS}) & own.keys():
        raise ValueError(f"the task names columns of its own like fixed ones: {', '.join(sorted(clash))}")
    order = np.lexsort((run_index, checkpoint))
    weights = cohort.weights[run_index[order], checkpoint[order]].detach().cpu().to(torch.float32).contiguous()
    return pa.table({**columns, **own}).take(order).append_column(WEIGHTS, tensor_column(weights.numpy()))


def part_metadata(
    cohort: Cohort, scores: Scores | None, diverged: tuple[tuple[int, int], ...], scoring_seconds: float
) -> dict[str, Any]:
    """What a part says beside its rows: whose it is, what is in it, and what was left out."""
    groups = scores.groups if scores else {}
    return {
        "format": COHORT_FORMAT,
        "cohort": cohort.spec.digest,
        "task": dict(cohort.spec.task),
        "structure": cohort.spec.structure,
        "runs": [run.run for run in cohort.spec.runs],
        "steps": [int(step) for step in cohort.steps],
        "training_seconds": cohort.seconds,
        "scoring_seconds": scoring_seconds,
        "diverged": [list(item) for item in diverged],
        "floors": {name: {k: dict(v) for k, v in group.floors.items()} for name, group in groups.items()},
        "settings": {name: dict(group.settings) for name, group in groups.items()},
        "torch_threads": torch.get_num_threads(),
    }


def table_to_parquet(table: pa.Table, metadata: Mapping[str, Any]) -> bytes:
    """The bytes of a part; `metadata` is JSON-like and travels in the file's schema.

    Raises:
        ValueError: weights are not finite, or are not the last column.
    """
    if table.schema.names[-1] != WEIGHTS or not np.isfinite(weights_of(table)).all():
        raise ValueError("the last column of a part holds its weights, which are finite")
    size = table.schema.field(WEIGHTS).type.shape[0]
    text = [field.name for field in table.schema if pa.types.is_string(field.type)]
    # Bytes of one significance beside each other: weights and figures compress far better so (no dictionary then).
    floats = {field.name: "BYTE_STREAM_SPLIT" for field in table.schema if pa.types.is_float64(field.type)}
    return sealed_parquet(
        table,
        metadata,
        max(1, min(_ROW_GROUP_ROWS, _ROW_GROUP_WEIGHTS // max(1, size))),
        compression="zstd",
        use_dictionary=text,
        column_encoding={f"{WEIGHTS}.list.element": "BYTE_STREAM_SPLIT", **floats},
    )


def weights_of(table: pa.Table) -> np.ndarray:
    """The column `weights` as one array, [R, D] float32."""
    column = table[WEIGHTS]
    size = column.type.shape[0]
    chunks = [chunk.to_numpy_ndarray() for chunk in column.chunks if len(chunk)]
    if len(chunks) == 1:
        return chunks[0]
    return np.concatenate(chunks) if chunks else np.empty((0, size), np.float32)


def tensor_column(weights: np.ndarray) -> pa.Array:
    """Weights [R, D] float32 as a column of fixed-shape tensors, without a copy."""
    kind = pa.fixed_shape_tensor(pa.float32(), [weights.shape[1]])
    flat = pa.array(weights.reshape(-1), pa.float32())
    return pa.ExtensionArray.from_storage(kind, pa.FixedSizeListArray.from_arrays(flat, weights.shape[1]))


def _constant(rows: int, values: Mapping[str, str]) -> dict[str, pa.Array]:
    return {name: pa.repeat(pa.scalar(value, pa.string()), rows) for name, value in values.items()}
