"""Runs that belong to no zoo: one cohort, trained once and kept like those of a zoo."""

from dataclasses import dataclass

import torch
from torch import Tensor

from zoogen.tasks.base import Task
from zoogen.tasks.records import CohortSpec
from zoogen.zoo.build import build_part
from zoogen.zoo.plan import split_of
from zoogen.zoo.selection import Selection
from zoogen.zoo.store import ArtifactStore
from zoogen.zoo.verify import open_part, parts_of


@dataclass(frozen=True)
class TrainedRuns:
    """Ends of training runs: flat weights [R, D] of those that did not diverge, and the seconds of the whole cohort."""

    weights: Tensor
    seconds: float


def trained_runs(task: Task, spec: CohortSpec, store: ArtifactStore, device: str = "cpu") -> TrainedRuns:
    """Train a cohort of runs of one split, consecutive ones, unless its part is in the store.

    Raises:
        ZoogenError: the store cannot be used.
    """
    build_part(task, spec, store, device=device)
    (part,) = parts_of([spec], task)
    file = open_part(store, part)
    rows = Selection(task.layout(spec.structure).size, split_of(part.runs[0]), part.runs, last=1)
    rows.add(file)
    return TrainedRuns(torch.from_numpy(rows.weights()), float(file.metadata["training_seconds"]))
