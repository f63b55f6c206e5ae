"""Judging any weights file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from zoogen.bounded import parse_json
from zoogen.errors import ZoogenError
from zoogen.evaluation.result import metric_json
from zoogen.tasks.base import Task
from zoogen.tasks.registry import task_from_mapping
from zoogen.weights.files import WeightsFile, read_weights
from zoogen.weights.state_dicts import Reading, differing, peculiarities, readings, some
from zoogen.zoo.store import ArtifactStore

TASK_KEY = "task_config"  # metadata: the task's whole configuration, so that a file can be judged without the study
FIXED = "fixed"  # metadata: the hash of what all networks share that is not in the file, as in a zoo's column
DEFAULT_TASK = "hypergrid"


def judge_file(
    path: str,
    task: Task | None = None,
    *,
    seed: int = 0,
    device: str = "cpu",
    assets: ArtifactStore | None = None,
    known: Sequence[str] = (),
) -> dict[str, Any]:
    """Judge a weights file.

    Args:
        path: safetensors file with tensors [K, *shape] by parameter name.
        task: the task to judge by; None takes it from the file's metadata, or the default task.
        seed: of sampled protocols.
        device: where to judge.
        assets: where a task that the file names finds what its networks share.
        known: structures that a file may be of that does not say it.

    Returns:
        JSON-like judgement: structure, count, protocols with lists of K numbers and floors, summary.

    Raises:
        ZoogenError: no weights file, tensors of wrong names or shapes, values that are not finite, or networks whose
            shared rest is not there.
    """
    networks = read_networks(path, task, assets, known)
    task, structure = networks.task, networks.structure
    if task.missing(structure) or (networks.fixed and not task.prepared(structure)):
        raise ZoogenError(
            f"{path}: what all networks of {task.label(structure)} share is not under the artifact root; "
            "give the study's CONFIG whose zoo was built there"
        )
    try:
        notices = (*networks.notices, *networks.about_rest())
        scores = task.score(structure, networks.weights, seed=seed, device=device)
    except ZoogenError as error:
        raise ZoogenError(f"{path}: {error}") from None
    judgement = metric_json(scores, task.label(structure))
    shared = task.file_metadata(structure).get(FIXED, "")
    if shared and not networks.fixed and not networks.rest:
        notices += (f"the file does not tell what its networks share beside it; judged with {shared}, of this study",)
    judgement["notices"] = [*judgement["notices"], *notices]
    return {"file": str(path), "task": task.name, **judgement}


@dataclass(frozen=True)
class FileNetworks:
    """Networks of a weights file.

    Attributes:
        task: with what the file says of them.
        structure: canonical name.
        weights: [K, D].
        fixed: name of what they share and the file does not hold, empty if they are whole.
        rest: tensors [K, ...] of the file that are not among the weights.
        notices: how the file was read, where that is not plain.
    """

    task: Task
    structure: str
    weights: Tensor
    fixed: str = ""
    rest: Mapping[str, Tensor] = field(default_factory=dict)
    notices: tuple[str, ...] = ()

    def about_rest(self) -> tuple[str, ...]:
        """Notices of tensors beside the weights, compared with those of the networks that will be judged.

        Raises:
            ZoogenError: the networks have no such tensors, or other ones: what would be judged is not what the file
                holds.
        """
        if not self.rest:
            return ()
        retaken, different = self.task.retaken(self.structure), set[str]()
        for k, row in enumerate(self.weights):  # whole networks, so one at a time
            whole = self.task.complete(self.structure, row.unsqueeze(0))
            if unknown := sorted(self.rest.keys() - whole.keys()):
                raise ZoogenError(
                    f"unexpected tensors: {some(unknown)}; {self.task.label(self.structure)} has none such"
                )
            values = {n: t[k : k + 1] for n, t in self.rest.items() if t.is_floating_point() and n not in retaken}
            different.update(differing(values, whole))
        if different:
            names = some([name for name in self.rest if name in different])
            raise ZoogenError(
                f"tensors that the study does not generate are not those of its trunk: {names}; generate them, too "
                "(task.subset, task.statistics), or use the trunk that these networks come from"
            )
        ignored = [n for n, t in self.rest.items() if n in retaken or not t.is_floating_point()]
        equal = len(self.rest) - len(ignored)
        notices = (f"{equal} tensors beside the weights are those of the trunk",) if equal else ()
        return (*notices, f"not used: {some(ignored)} (counters, statistics taken anew)") if ignored else notices


def read_networks(
    path: str, task: Task | None = None, assets: ArtifactStore | None = None, known: Sequence[str] = ()
) -> FileNetworks:
    """Read the networks of a weights file or of state dicts: stacked ones or a single one, also with counters and
    with the prefixes of wrappers.

    Args:
        path: safetensors file with tensors [K, *shape] or [*shape] by parameter name.
        task: whose networks they are; None takes it from the file's metadata, or the default task.
        assets: where a task that the file names finds what its networks share.
        known: structures that a file may be of that does not say it.

    Raises:
        ZoogenError: no weights file, tensors that are no networks of the task, or a file that asks for more work than
            one from anywhere may.
    """
    file = read_weights(path)
    named, anybodys = file.metadata.get("task"), task is None
    if task is None:
        task = task_from_mapping(_task_mapping(file, path))
        task = task if assets is None else task.using(assets)
    elif named is not None and named != task.name:
        raise ZoogenError(
            f"{path} holds networks of the task {named[:40]}, the configuration is of {task.name}; give its own"
        )
    first: ZoogenError | None = None
    try:
        for reading in readings(file.tensors):
            try:
                return _networks(file, reading, task, known, anybodys=anybodys)
            except ZoogenError as error:
                first = first or error
        raise ZoogenError(f"{first or 'it holds no networks'}{peculiarities(file.tensors)}")
    except ZoogenError as error:
        raise ZoogenError(f"{path}: {error}") from None


def _networks(file: WeightsFile, reading: Reading, task: Task, known: Sequence[str], *, anybodys: bool) -> FileNetworks:
    """The networks of a file read in one way; `anybodys`: what is judged is by its own word alone."""
    assets, task = task.assets, task.for_file(dict(file.metadata), reading.shapes)
    task = task if assets is None else task.using(assets)
    structure = task.canonical(file.metadata.get("structure") or task.infer_structure(reading.shapes, known))
    if anybodys and (excess := task.excess(structure)):
        raise ZoogenError(f"to judge it as it says takes {excess}; give the study's CONFIG to judge it")
    layout = task.layout(structure)
    tensors = reading.vector(layout)
    weights = task.extract(structure, tensors) if file.whole else layout.flatten(tensors)
    rest = reading.rest(layout)
    return FileNetworks(task, structure, weights, file.metadata.get(FIXED, ""), rest, reading.notices)


def _task_mapping(file: WeightsFile, path: str) -> dict[str, Any]:
    text = file.metadata.get(TASK_KEY)
    if text is None:
        return {"kind": file.metadata.get("task", DEFAULT_TASK)}
    try:
        mapping = parse_json(text)
    except ValueError:
        mapping = None
    if not isinstance(mapping, dict):
        raise ZoogenError(f"{path}: its metadata {TASK_KEY} is no JSON object; give the study's CONFIG to judge it")
    if "kind" not in mapping:
        raise ZoogenError(f"{path}: its metadata {TASK_KEY} names no kind of task; give the study's CONFIG to judge it")
    return mapping
