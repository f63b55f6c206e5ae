"""Tensors and JSON-like metadata in one sealed safetensors byte string: the only form in which networks that were
trained once (trunks, autoencoders, generators, states of a training) are stored."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load, save
from torch import Tensor

from zoogen.bounded import parse_json
from zoogen.errors import DamagedError
from zoogen.weights.header import METADATA, check_seal, read_header, sealed

_KEY = "zoogen"  # key of the JSON text within the header's metadata


def pack(kind: str, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> bytes:
    """A sealed safetensors byte string; `kind` names what it holds, `metadata` is JSON-like."""
    # safetensors refuses tensors that share memory or have holes: each gets memory of its own.
    own = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    return sealed(save(own, metadata={_KEY: json.dumps({"kind": kind, **metadata}, sort_keys=True)}))


def unpack(kind: str, data: bytes) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and metadata of a byte string made by `pack`.

    Raises:
        DamagedError: data that do not fit their seal, or are of another kind.
    """
    try:
        check_seal(data)
        tensors = load(data)
        metadata = parse_json(read_header(data)[METADATA][_KEY])
        stored = metadata.pop("kind")
    except Exception as error:  # whatever bytes of another kind may lead to
        raise DamagedError(str(error) or type(error).__name__, f"the {kind}") from None
    if stored != kind:
        raise DamagedError(f"it holds a {stored}, not a {kind}", f"the {kind}")
    return tensors, metadata


def read_whole(file: Path) -> bytes | None:
    """The content of a file that `pack` made; None if there is no such file, or a damaged one."""
    try:
        data = file.read_bytes()
        check_seal(data)
    except (OSError, ValueError):
        return None
    return data


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors with `prefix.` before their names."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def section(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix.`, without it."""
    return {n.removeprefix(f"{prefix}."): t for n, t in tensors.items() if n.startswith(f"{prefix}.")}
