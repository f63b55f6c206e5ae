"""`zoogen zoo ls|show|export`: looking into zoos."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from zoogen.errors import ZoogenError
from zoogen.pipelines.context import Study, local_path
from zoogen.pipelines.open import open_study
from zoogen.tasks.base import Task
from zoogen.zoo.export import export_safetensors, export_table, list_zoos
from zoogen.zoo.plan import SPLITS, Split

TABLE_SUFFIXES = (".parquet", ".csv")


def zoo_ls(config: str, overrides: Sequence[str]) -> None:
    """Print the zoos under the artifact root, those of the configuration marked."""
    study = open_study(config, overrides)
    own = {plan.digest: name for plan, name in zip(study.plans, ("zoo", "reference"), strict=False)}
    zoos = list_zoos(study.store)
    if not zoos:
        study.console.show(f"no zoos in {study.store.uri}; make one with `zoogen build-zoo {study.source}`")
        return
    table = _table("digest", "this study's", "task", "structures", "runs train/val/test", "cohorts")
    for zoo in zoos:
        names = zoo.structures if zoo.task != study.task.name else [study.task.label(name) for name in zoo.structures]
        runs = "/".join(str(zoo.runs.get(split, 0)) for split in SPLITS)
        cohorts = f"{zoo.cohorts_done}/{zoo.cohorts_expected}"
        table.add_row(zoo.digest, own.get(zoo.digest, ""), zoo.task, ", ".join(names), runs, cohorts)
        for damage in zoo.damaged:
            study.console.say(f"notice: zoo {zoo.digest}: {damage}")
    study.console.out.print(table)


def zoo_show(config: str, overrides: Sequence[str], structure: str | None) -> None:
    """Print one line per run of the configuration's zoo: split, seed, checkpoints, quality at the end.

    Raises:
        ZoogenError: the zoo is incomplete or has no such structure.
    """
    study = open_study(config, overrides)
    names = _structures(study, structure)
    study.zoo.require(names)
    table = _table("structure", "split", "run", "seed", "checkpoints", "steps", "metric", "first", "last", "best")
    for name in names:
        rows = study.zoo.table(name).to_pylist()
        metric = _metric(study.task, rows)
        runs: dict[int, list[dict[str, Any]]] = {}
        for row in rows:
            runs.setdefault(row["run"], []).append(row)
        for run in sorted(runs):
            points = sorted(runs[run], key=lambda row: row["step"])
            values = [point[metric] for point in points] if metric else []
            shown = [f"{value:.3g}" for value in (values[0], values[-1], min(values))] if metric else ["", "", ""]
            steps = f"{points[0]['step']}–{points[-1]['step']}"
            first = points[0]
            head = (first["label"], first["split"], str(run), str(first["seed"]), str(len(points)), steps)
            table.add_row(*head, metric or "", *shown)
        table.add_section()
    study.console.out.print(table)


def zoo_export(
    config: str, overrides: Sequence[str], out: str, structure: str | None, split: Split | None, weights: bool
) -> None:
    """Write rows as a table for pandas, or weights as safetensors, one file per structure.

    Raises:
        ZoogenError: the zoo is incomplete, or a file cannot be written.
    """
    study = open_study(config, overrides)
    names, path = _structures(study, structure), local_path(out)
    if path.suffix in TABLE_SUFFIXES:
        count = export_table(study.zoo, path, names, split, weights)
        study.console.show(f"{count} checkpoints, {path}")
        return
    if path.suffix:
        raise ZoogenError(
            f"cannot export to {out}: give a name ending in .parquet or .csv, or a folder for safetensors"
        )
    written: list[Path] = []
    for part in SPLITS if split is None else (split,):
        if study.plan.runs_of(part):
            written += export_safetensors(study.zoo, path, names, part)
    for file in written:
        study.console.show(str(file))


def _structures(study: Study, structure: str | None) -> list[str]:
    return list(study.plan.structures) if structure is None else [study.task.canonical(structure)]


def _metric(task: Task, rows: Sequence[dict[str, Any]]) -> str | None:
    return next((name for name in task.primary_metrics if rows and rows[0].get(name) is not None), None)


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE, show_edge=False)
    for column in columns:
        table.add_column(column)
    return table
