"""Networks that are trained for the evaluation itself: conventional training at fixed budgets."""

from collections.abc import Iterator
from functools import partial

from zoogen.evaluation.candidates import Candidate, Candidates
from zoogen.evaluation.equivalence import BUDGET
from zoogen.evaluation.structure import StructureData
from zoogen.tasks.base import Task
from zoogen.tasks.records import CohortSpec, RunSpec
from zoogen.zoo.store import ArtifactStore
from zoogen.zoo.trained import trained_runs


def conventional(data: StructureData) -> Iterator[Candidate]:
    """Training from scratch with just N iterations, for every budget N that the task can be given.

    Run k has the same seeds at every budget, so that budgets differ by their iterations alone.
    """
    for iterations in data.config.conventional.iterations:
        task = data.task.with_iterations(iterations)
        if task is not None:
            yield Candidate(f"{BUDGET}{iterations}", partial(_trained, data, task, f"{BUDGET}{iterations}"))


def _trained(data: StructureData, task: Task, method: str) -> Candidates:
    """The networks of one budget; where artifacts are kept, they are trained once for all evaluations."""
    runs = tuple(
        RunSpec(k, data.seed("conventional", k), data.seed("conventional", "initialisation", k))
        for k in range(data.config.conventional.runs)
    )
    spec, store = CohortSpec(task.resolved_for(data.name), data.name, runs), data.task.assets
    if isinstance(store, ArtifactStore):
        trained = trained_runs(task, spec, store, data.sources.device)
        lost = len(runs) - len(trained.weights)
        notices = (f"{lost} of {len(runs)} runs diverged and are left out",) if lost else ()
        return Candidates(method, trained.weights, training=trained.seconds / len(runs), notices=notices)
    cohort = task.train_cohort(spec, data.sources.device)
    return Candidates(method, cohort.weights[:, -1].cpu(), training=cohort.seconds / len(runs))
