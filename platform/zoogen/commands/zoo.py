"""`zoogen zoo ls|show|export`: looking into zoos."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from zoogen.errors import ZoogenError
from zoogen.pipelines.context import Study, local_path
from zoogen.pipelines.open import open_study
from zoogen.splits import SPLITS, Split
from zoogen.tasks.base import Task
from zoogen.zoo.export import ZooListing, export_safetensors, export_table, list_zoos, plan_of
from zoogen.zoo.read import Zoo

TABLE_SUFFIXES = (".parquet", ".csv")


def zoo_ls(config: str, overrides: Sequence[str]) -> None:
    """Print the zoos under the artifact root, those of the configuration marked; no data are loaded for it."""
    study = open_study(config, overrides)
    zoos = list_zoos(study.store)
    if not zoos:
        study.console.show(f"no zoos in {study.store.uri}; make one with `zoogen build-zoo {study.source}`")
        return
    loaded = any(zoo.content for zoo in zoos)  # two zoos of one configuration may differ in their data
    columns = ("digest", "this study's", "task", "structures", "runs train/val/test", "cohorts")
    table = _table(*columns, *(["data"] if loaded else []))
    for zoo in zoos:
        names = [_label(study.task, zoo, name) for name in zoo.structures]
        counts = {split: str(zoo.runs.get(split, 0)) for split in SPLITS}
        if zoo.fewest < zoo.runs.get("train", 0):
            counts["train"] = f"{zoo.fewest}–{counts['train']}"
        runs = "/".join(counts.values())
        cohorts = f"{zoo.cohorts_done}/{zoo.cohorts_expected}"
        data = [zoo.content] if loaded else []
        table.add_row(zoo.digest, _role(study, zoo), zoo.task, ", ".join(names), runs, cohorts, *data)
        for damage in zoo.damaged:
            study.console.say(f"notice: zoo {zoo.digest}: {damage}")
    study.console.out.print(table)


def zoo_show(config: str, overrides: Sequence[str], structure: str | None) -> None:
    """Print one line per run of the configuration's zoo: split, seed, checkpoints, quality at the end.

    Raises:
        ZoogenError: the zoo is incomplete or has no such structure.
    """
    study = open_study(config, overrides)
    zoo = _zoo(study)
    names = _structures(zoo, structure)
    zoo.require(names)
    table = _table("structure", "split", "run", "seed", "checkpoints", "steps", "metric", "first", "last", "best")
    for name in names:
        rows = zoo.table(name).to_pylist()
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
    zoo, path = _zoo(study), local_path(out)
    names = _structures(zoo, structure)
    if path.suffix in TABLE_SUFFIXES:
        count = export_table(zoo, path, names, split, weights)
        study.console.show(f"{count} checkpoints, {path}")
        return
    if path.suffix:
        raise ZoogenError(
            f"cannot export to {out}: give a name ending in .parquet or .csv, or a folder for safetensors"
        )
    written: list[Path] = []
    for part in SPLITS if split is None else (split,):
        held = [name for name in zoo.plan.structures if zoo.plan.runs_of(part, name) and (not names or name in names)]
        if held:
            written += export_safetensors(zoo, path, held, part)
    for file in written:
        study.console.show(str(file))


def _zoo(study: Study) -> Zoo:
    """The configuration's zoo; where its data are not, the only one that was built by this configuration."""
    try:
        if not any(map(study.task.unavailable, study.config.zoo.structures)):
            return study.zoo
        failure = None
    except ZoogenError as error:
        failure = error
    built = [zoo for zoo in list_zoos(study.store) if zoo.is_of(study.config.zoo, study.task)]
    if len(built) == 1:
        reason = "its data are not here" if failure is None else str(failure)
        study.console.say(f"notice: {reason}; zoo {built[0].digest} is read as it was built")
        return Zoo(study.store, plan_of(built[0], study.task), study.task.with_contents(built[0].contents))
    if failure is not None:
        raise failure
    return study.zoo


def _role(study: Study, zoo: ZooListing) -> str:
    if zoo.is_of(study.config.zoo, study.task):
        return "zoo"
    reference = study.config.reference
    return "reference" if reference is not None and zoo.is_of(reference, study.task) else ""


def _label(task: Task, zoo: ZooListing, structure: str) -> str:
    try:
        return task.label(structure) if zoo.task == task.name else structure
    except ZoogenError:  # of one's own file, or of another study's structures
        return structure


def _structures(zoo: Zoo, structure: str | None) -> list[str]:
    return list(zoo.plan.structures) if structure is None else [zoo.task.canonical(structure)]


def _metric(task: Task, rows: Sequence[dict[str, Any]]) -> str | None:
    return next((name for name in task.primary_metrics if rows and rows[0].get(name) is not None), None)


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE, show_edge=False)
    for column in columns:
        table.add_column(column)
    return table
