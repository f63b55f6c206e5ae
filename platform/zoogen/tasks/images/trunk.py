"""The trunk of a structure: one network, trained once, from which all its runs start."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from zoogen.errors import ZoogenError
from zoogen.identity import DIGEST_LENGTH, derive_seed, digest
from zoogen.tasks.base import ProgressCallback
from zoogen.tasks.images.config import ImagesConfig
from zoogen.tasks.images.data.splits import ImageData
from zoogen.tasks.images.training import Images, Stream, loss_and_accuracy, train
from zoogen.weights.files import read_header

Fresh = Callable[[int], nn.Module]  # a seed to an untrained network

TRUNK_FORMAT = 2  # raise when the same configuration would make another trunk
_KEY = "zoogen"  # key of the JSON text within the header's metadata
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
    initial: Mapping[str, Tensor] | None = None,
    device: str = "cpu",
    progress: ProgressCallback | None = None,
) -> bytes:
    """Train a trunk by `config.training` from `config.seed`, as bytes for `read_trunk`.

    Args:
        fresh: makes the untrained network.
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
    # safetensors refuses tensors that share memory or have holes: each gets memory of its own
    state = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in module.state_dict().items()}
    if diverged or not all(bool(tensor.isfinite().all()) for tensor in state.values()):  # by its last step, perhaps
        raise ZoogenError(
            f"the trunk of {structure} diverged in its training; lower task.training.optimiser.learning_rate"
        )
    metadata = {
        "structure": structure,
        "config": config.model_dump(mode="json", exclude={**dict.fromkeys(_NOT_OF_TRUNK, True), "data": {"root"}}),
        "digest": state_digest(state),
        "loss": {name: loss for name, (loss, _) in judged.items()},
        "accuracy": {name: accuracy for name, (_, accuracy) in judged.items()},
        "seconds": time.perf_counter() - began,
    }
    return save(state, metadata={_KEY: json.dumps(metadata, sort_keys=True)})


def read_trunk(data: bytes) -> Trunk:
    """The trunk that `make_trunk` wrote.

    Raises:
        ZoogenError: damaged data.
    """
    try:
        state = load(data)
        found = json.loads(read_header(data)["__metadata__"][_KEY])
        trunk = Trunk(state, found["digest"], found["loss"], found["accuracy"], float(found["seconds"]))
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ZoogenError(f"damaged trunk ({reason:.100}); delete it and make it again") from None
    if (actual := state_digest(state)) != trunk.digest:
        raise ZoogenError(f"damaged trunk: its tensors are {actual}, not {trunk.digest}; delete it and make it again")
    return trunk


def state_digest(state: Mapping[str, Tensor]) -> str:
    """16 hexadecimal digits of SHA-256 over names, types, shapes and values."""
    found = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        found.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:DIGEST_LENGTH]
