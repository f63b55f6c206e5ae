"""Tensors and JSON-like metadata in one safetensors byte string: the only form in which learnt models are stored."""

import json
from collections.abc import Mapping
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.weights.files import read_header

_KEY = "zoogen"  # key of the JSON text within the header's metadata


def pack(kind: str, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> bytes:
    """A safetensors byte string; `kind` names what it holds, `metadata` is JSON-like."""
    # safetensors refuses tensors that share memory or have holes: each gets memory of its own.
    own = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    return save(own, metadata={_KEY: json.dumps({"kind": kind, **metadata}, sort_keys=True)})


def unpack(kind: str, data: bytes) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and metadata of a byte string made by `pack`.

    Raises:
        ZoogenError: damaged data, or data of another kind.
    """
    try:
        tensors = load(data)
        metadata = json.loads(read_header(data)["__metadata__"][_KEY])
        found = metadata.pop("kind")
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ZoogenError(f"damaged {kind} artifact ({reason}); delete it and make it again") from None
    if found != kind:
        raise ZoogenError(f"the artifact holds a {found}, not a {kind}; give the artifact of the right stage")
    return tensors, metadata


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors with `prefix.` before their names."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def section(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix.`, without it."""
    return {n.removeprefix(f"{prefix}."): t for n, t in tensors.items() if n.startswith(f"{prefix}.")}
