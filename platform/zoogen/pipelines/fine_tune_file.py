"""Training on from any weights file, with the training settings of a study's task."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from zoogen.errors import DamagedError, ZoogenError
from zoogen.identity import canonical_json, derive_seed
from zoogen.pipelines.context import Study, local_path
from zoogen.pipelines.digests import fine_tuned_file_digest
from zoogen.pipelines.weight_files import TASK_KEY, FileNetworks, read_networks
from zoogen.tasks.records import FineTuneSpec
from zoogen.weights.files import read_weights, write_weights
from zoogen.zoo.plan import structure_key

_DIGEST_KEY = "fine_tuning"  # metadata: names the source's weights and how they were trained on


@dataclass(frozen=True)
class FineTunedFile:
    """Networks of a weights file after further training.

    Attributes:
        label: of the structure.
        count: networks K.
        iterations: of the training.
        path: where the results lie.
        before, after: `group.metric` to the K values.
        seconds: of training, None if the file was there.
    """

    label: str
    count: int
    iterations: int
    path: Path
    before: Mapping[str, Tensor]
    after: Mapping[str, Tensor]
    seconds: float | None


def fine_tune_file(study: Study, source: str, out: str | None = None, iterations: int | None = None) -> FineTunedFile:
    """Train the networks of a weights file on and write them as a weights file, unless it is there.

    Args:
        study: its task says how networks are trained, its `fine_tuning` how long and with which seed.
        source: weights file with K networks of one structure.
        out: file to write; by default a name under the artifact root.
        iterations: instead of `fine_tuning.iterations`.

    Raises:
        ZoogenError: `source` holds no networks of the task, `out` is `source` or cannot be written, the task cannot
            train on, or the training diverged.
    """
    networks = read_networks(source, study.task, known=[target.structure for target in study.targets])
    study.make_ready([networks.structure])
    for notice in (*networks.notices, *_about_rest(networks, source)):
        study.console.say(f"notice: {notice}")
    iterations = iterations or study.config.fine_tuning.iterations
    name = _name(study, networks, iterations)
    path = _path(study, networks, name, out)
    if path.resolve() == Path(source).resolve():
        raise ZoogenError(f"--out {out} is the file that is read; name another one")
    seconds = None
    if not _done(study, path, name, own=out is None):
        seconds = _train(study, networks, iterations, name, path)
    tuned = read_networks(str(path), study.task)
    before, after = (_scores(study, item) for item in (networks, tuned))
    label = networks.task.label(networks.structure)
    return FineTunedFile(label, len(networks.weights), iterations, path, before, after, seconds)


def _about_rest(networks: FileNetworks, source: str) -> tuple[str, ...]:
    try:
        return networks.about_rest()
    except ZoogenError as error:
        raise ZoogenError(f"{source}: {error}") from None


def _done(study: Study, path: Path, name: str, *, own: bool) -> bool:
    """Whether the file is there and whole; `own`: nobody else writes files of this name, so any other is damaged."""
    if not path.exists():
        return False
    try:
        return read_weights(path).metadata.get(_DIGEST_KEY) == name
    except ZoogenError as error:
        if not (own or isinstance(error, DamagedError)):
            raise
        study.console.say(f"notice: {error}; it is made again")
        return False


def _name(study: Study, networks: FileNetworks, iterations: int) -> str:
    task = networks.task.resolved_for(networks.structure)
    seed = study.config.fine_tuning.seed
    return fine_tuned_file_digest(networks.weights, task, networks.structure, iterations, seed)


def _path(study: Study, networks: FileNetworks, name: str, out: str | None) -> Path:
    if out is not None:
        return local_path(out)
    folder = study.store.folder("fine_tuned")
    if folder is None:
        raise ZoogenError(f"the artifact root {study.store.uri} is not local; give --out FILE")
    return folder / f"{structure_key(networks.structure)}-{name}.safetensors"


def _train(study: Study, networks: FileNetworks, iterations: int, name: str, path: Path) -> float:
    task, structure, seed = networks.task, networks.structure, study.config.fine_tuning.seed
    seeds = tuple(derive_seed("fine-tuning", seed, structure, k) for k in range(len(networks.weights)))
    with study.console.progress("fine-tuning", "iterations") as show:
        tuned = task.fine_tune(FineTuneSpec(structure, seeds, (iterations,)), networks.weights, study.device, show)
    metadata = {
        **task.file_metadata(structure),
        _DIGEST_KEY: name,
        "iterations": str(iterations),
        "seed": str(seed),
        TASK_KEY: canonical_json(task.resolved()),
    }
    write_weights(path, task.layout(structure), tuned.weights[:, -1], metadata)
    return tuned.seconds


def _scores(study: Study, networks: FileNetworks) -> Mapping[str, Tensor]:
    seed = study.config.evaluation.seed
    return networks.task.score(networks.structure, networks.weights, seed=seed, device=study.device).flat()
