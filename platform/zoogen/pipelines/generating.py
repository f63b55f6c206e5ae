"""Generating weights files, from a study or from a generator file alone."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from zoogen.bounded import read_bytes
from zoogen.errors import DamagedError, ZoogenError
from zoogen.evaluation.sources import Generator
from zoogen.generators.condition import indistinct
from zoogen.generators.config import SamplerSettings
from zoogen.generators.stored import read_generator, task_of
from zoogen.generators.taught_range import beyond_taught
from zoogen.generators.weight_generator import WeightGenerator
from zoogen.identity import canonical_json
from zoogen.pipelines.context import Study, local_path
from zoogen.pipelines.results import GeneratedFile
from zoogen.pipelines.sampling import configured
from zoogen.pipelines.stored import load_generator
from zoogen.pipelines.weight_files import TASK_KEY
from zoogen.shown import clipped
from zoogen.tasks.base import Task
from zoogen.weights.files import write_weights, write_whole
from zoogen.weights.target import Target
from zoogen.zoo.plan import structure_key
from zoogen.zoo.store import ArtifactStore

Say = Callable[[str], None]

_GENERATOR_BYTES = 2**32  # of a generator file from anywhere
_MOST_WEIGHTS = 2**26  # of one network that such a file may ask for


@dataclass(frozen=True)
class Order:
    """What is asked for: `count` networks of a seed, with `whole` also whatever of a network is not generated (the rest
    of one of which a subset is generated, running statistics)."""

    count: int
    seed: int
    whole: bool = False

    def path(self, store: ArtifactStore, generator: str, structure: str, out: str | None) -> Path:
        """The file that is written: `out`, or a name under the artifact root.

        Raises:
            ZoogenError: the artifact root is no folder.
        """
        if out is not None:
            return local_path(out)
        folder = store.folder("generated", generator)
        if folder is None:
            raise ZoogenError(f"the artifact root {store.uri} is not local; give --structure and --out FILE")
        kind = "-whole" if self.whole else ""
        return folder / f"{structure_key(structure)}-count{self.count}-seed{self.seed}{kind}.safetensors"


def generate(
    study: Study, structure: str | None, count: int, seed: int, out: str | None, *, whole: bool = False
) -> list[GeneratedFile]:
    """Generate `count` networks of a structure, or of every structure of the study, and write weights files.

    Raises:
        ZoogenError: the structure is impossible or does not fit, the generator is missing, the file cannot be written.
    """
    if structure is None and out is not None:
        raise ZoogenError(
            f"--out names one file, so it needs --structure, for example --structure {study.targets[0].structure}"
        )
    order = Order(count, seed, whole)
    targets = study.targets if structure is None else (study.task.target(structure),)
    paths = [order.path(study.store, study.generator_digest, target.structure, out) for target in targets]
    trained = load_generator(study)
    study.make_ready(target.structure for target in targets)
    source = _Source(study.task, trained, configured(trained, study.config.generator), study.config.generator.sampler)
    return [
        source.written(target, order, path, study.device, study.console.say)
        for target, path in zip(targets, paths, strict=True)
    ]


def generate_from_file(
    path: str,
    structure: str,
    count: int,
    seed: int,
    out: str | None,
    *,
    store: ArtifactStore,
    say: Say,
    whole: bool = False,
    device: str = "cpu",
) -> GeneratedFile:
    """Generate `count` networks of a structure from a generator file alone, which may come from anywhere: nothing that
    it names is run or opened.

    Args:
        path: of the generator file.
        structure: in any spelling of the generator's task.
        out: file to write; by default a name under the artifact root.
        store: the artifact root, where a task finds what its networks share.
        say: gets notices.

    Raises:
        ZoogenError: no generator file, one of another version or that does not say of which task it is, a structure
            that it cannot make or that takes more than a file from anywhere may ask for.
    """
    where = clipped(path, 200)
    try:
        trained = read_generator(_content(path))
    except DamagedError as error:
        raise ZoogenError(
            f"{where} is no generator file, or a damaged one ({error.reason}); give a file such as "
            "artifacts/generators/NAME.safetensors"
        ) from None
    except ZoogenError as error:
        raise ZoogenError(f"{where}: {error}") from None
    try:
        task = task_of(trained.task_config).using(store)
        name = task.canonical(structure)
        _require_modest(task, name)
        target, order = task.target(name), Order(count, seed, whole)
        made = order.path(store, trained.digest, name, out)
        if made.resolve() == Path(path).resolve():
            raise ZoogenError(f"--out {out} is the generator file itself; name another one")
        return _Source(task, trained, configured(trained, trained.config), trained.config.sampler).written(
            target, order, made, device, say
        )
    except ZoogenError as error:
        raise ZoogenError(f"{where}: {error}") from None


def _content(path: str) -> bytes:
    """The bytes of a file, none of a device or pipe, which may have no end.

    Raises:
        ZoogenError: it cannot be read, or is too large.
    """
    file = local_path(path)
    try:
        if file.exists() and not (file.is_file() or file.is_dir()):
            raise ValueError("it is a device or pipe, which may have no end")
        return read_bytes(file, _GENERATOR_BYTES)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ZoogenError(f"cannot read it: {reason}; give a generator file") from None


def _require_modest(task: Task, structure: str) -> None:
    """Raises:
    ZoogenError: networks of the structure take more than a file from anywhere may ask for, or what they share is not
        there.
    """
    if excess := task.excess(structure):
        raise ZoogenError(f"networks as it says take {excess}; give the study's CONFIG to generate them")
    if (size := task.layout(structure).size) > _MOST_WEIGHTS:
        raise ZoogenError(f"networks of {task.label(structure)} have {size:,} weights (at most {_MOST_WEIGHTS:,})")
    if task.missing(structure) or not task.prepared(structure):
        raise ZoogenError(
            f"what all networks of {task.label(structure)} share is not under the artifact root; give the study's "
            "CONFIG whose zoo was built there"
        )


@dataclass(frozen=True)
class _Source:
    """Where networks come from: the trained generator, and the generator as it draws with this sampler."""

    task: Task
    trained: WeightGenerator
    drawing: Generator
    sampler: SamplerSettings | None

    def written(self, target: Target, order: Order, path: Path, device: str, say: Say) -> GeneratedFile:
        """Generate networks of a structure and write them."""
        begin, name = time.perf_counter(), target.structure
        weights = self.drawing.generate(target, order.count, order.seed, device)
        seconds = time.perf_counter() - begin
        for notice in self._notices(target):
            say(f"notice: {notice}")
        metadata = {
            **self.task.file_metadata(name),
            "generator": self.trained.digest,
            **({} if self.sampler is None else {"sampler": canonical_json(self.sampler.model_dump(mode="json"))}),
            "seed": str(order.seed),
            TASK_KEY: canonical_json(self.task.resolved()),
        }
        tensors = self.task.complete(name, weights, device) if order.whole else {}
        if tensors.keys() <= target.layout.shapes.keys():  # there is nothing else
            write_weights(path, target.layout, weights, metadata)
        else:
            write_whole(path, tensors, metadata)
        return GeneratedFile(name, target.label, order.count, order.seed, path, seconds)

    def _notices(self, target: Target) -> Iterator[str]:
        """Of structures that were not taught."""
        if target.structure in self.trained.structures:
            return
        if self.trained.codec is not None:  # of others the condition says nothing
            yield from indistinct([*map(self.task.target, self.trained.structures), target])
        if beyond := beyond_taught(self.task, target.structure, self.trained.structures):
            yield beyond
