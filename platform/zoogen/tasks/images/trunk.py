"""The trunk of a structure: one network, trained once, from which all its runs start."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from torch import Tensor, nn

from zoogen.artifact import Artifact, Objects, examine
from zoogen.errors import DamagedError, ZoogenError
from zoogen.identity import DIGEST_LENGTH, derive_seed, digest
from zoogen.tasks.base import ProgressCallback
from zoogen.tasks.images.config import ImagesConfig
from zoogen.tasks.images.data.splits import ImageData
from zoogen.tasks.images.training import Images, Stream, loss_and_accuracy, train
from zoogen.weights.packing import pack, unpack

Fresh = Callable[[int], nn.Module]  # a seed to an untrained network

TRUNK_FORMAT = 3  # raise when the same configuration would make another trunk
_KIND = "trunk"
_NOT_OF_TRUNK = frozenset(  # what of a task's configuration matters only once a trunk is there
    {"kind", "start", "collection", "subset", "statistics", "condition", "conditions", "judged_at_once", "mode"}
)


@dataclass(frozen=True)
class Trunk:
    """A trained network.

    Attributes:
        state: all its tensors by name (`state_dict`), on the CPU.
        digest: names these very tensors, 16 hexadecimal digits of SHA-256.
        loss, accuracy: mean cross-entropy (nats) and fraction of right answers on `validation` and `test`.
        seconds: wall-clock time of its training.
    """

    state: Mapping[str, Tensor]
    digest: str
    loss: Mapping[str, float]
    accuracy: Mapping[str, float]
    seconds: float


def trunk_key(resolved: Mapping[str, Any], structure: str) -> str:
    """Key among the assets of a structure's trunk; only what the trunk's making depends on enters it.

    Args:
        resolved: the task's configuration for this structure (`Task.resolved_for`), JSON-like.
    """
    making = {name: value for name, value in resolved.items() if name not in _NOT_OF_TRUNK}
    return f"trunks/{digest({'format': TRUNK_FORMAT, 'structure': structure, 'task': making})}.safetensors"


def make_trunk(
    config: ImagesConfig,
    structure: str,
    fresh: Fresh,
    data: ImageData,
    *,
    key: str = "",
    initial: Mapping[str, Tensor] | None = None,
    device: str = "cpu",
    progress: ProgressCallback | None = None,
) -> bytes:
    """Train a trunk by `config.training` from `config.seed`, as bytes for `read_trunk`.

    Args:
        fresh: makes the untrained network.
        key: where it will lie.
        initial: a state to begin from in place of the untrained one (published weights).

    Raises:
        ZoogenError: the training diverges.
    """
    began, phase, diverged = time.perf_counter(), config.training, False
    module = fresh(derive_seed("trunk", config.seed))
    if initial is not None:
        module.load_state_dict(dict(initial))
    module.to(device)
    if phase.iterations:
        seed, steps = derive_seed("trunk's training", config.seed), [phase.iterations]
        images, stream = Images(data.train, device), Stream(data.train, phase, seed)
        figures = train(module, images, stream, phase, seed=seed, steps=steps, progress=progress)
        diverged = not bool(figures.finite.all())
    judged = {name: loss_and_accuracy(module, getattr(data, name), device) for name in ("validation", "test")}
    state = {name: tensor.detach().cpu() for name, tensor in module.state_dict().items()}
    if diverged or not all(bool(tensor.isfinite().all()) for tensor in state.values()):  # by its last step, perhaps
        raise ZoogenError(
            f"the trunk of {structure} diverged in its training; lower task.training.optimiser.learning_rate"
        )
    metadata = {
        "key": key,
        "structure": structure,
        "config": config.model_dump(mode="json", exclude={**dict.fromkeys(_NOT_OF_TRUNK, True), "data": {"root"}}),
        "digest": state_digest(state),
        "loss": {name: loss for name, (loss, _) in judged.items()},
        "accuracy": {name: accuracy for name, (_, accuracy) in judged.items()},
        "seconds": time.perf_counter() - began,
    }
    return pack(_KIND, state, metadata)


def read_trunk(data: bytes, key: str = "") -> Trunk:
    """The trunk that `make_trunk` wrote, for this key if one is given.

    Raises:
        DamagedError: damaged data, or the trunk of another key.
    """
    state, found = unpack(_KIND, data)
    if key and found.get("key") != key:
        raise DamagedError(f"it is {found.get('key')}", "the trunk")
    try:
        return Trunk(state, found["digest"], found["loss"], found["accuracy"], float(found["seconds"]))
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedError(f"{type(error).__name__}: {error}", "the trunk") from None


def stored_trunk(assets: Objects, key: str) -> Artifact[Trunk]:
    """What lies in a trunk's place."""
    return examine(assets, key, partial(read_trunk, key=key))


def kept_trunk(assets: Objects, key: str) -> Trunk | None:
    """The trunk of a key, read once per process; None if there is none, or a damaged one."""
    try:
        return _read(assets, key) if assets.exists(key) else None  # type: ignore[arg-type]  # hashed by identity
    except DamagedError:
        return None


@lru_cache(4)
def _read(assets: Objects, key: str) -> Trunk:
    return read_trunk(assets.get(key), key)


def state_digest(state: Mapping[str, Tensor]) -> str:
    """16 hexadecimal digits of SHA-256 over names, types, shapes and values."""
    found = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        found.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:DIGEST_LENGTH]
