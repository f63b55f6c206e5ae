"""The JSON header of a safetensors file: read, put in order and sealed (`zoogen.seal`)."""

import json
from collections.abc import Mapping
from typing import Any

from zoogen.bounded import parse_json
from zoogen.seal import SEAL, SEAL_LENGTH, content_hash

METADATA = "__metadata__"  # key of the header's text by key
_LENGTH_BYTES = 8  # a safetensors file begins with the length of its JSON header, little-endian
_BLANK = "0" * SEAL_LENGTH  # in the place of the seal while it is computed


def read_header(data: bytes) -> dict[str, Any]:
    """The JSON header of a safetensors file, metadata under `__metadata__`.

    Raises:
        ValueError: it has none.
    """
    header = parse_json(data[_LENGTH_BYTES : _end(data)])
    if not isinstance(header, dict):
        raise ValueError("the header is no JSON object")
    return header


def sealed(data: bytes) -> bytes:
    """The same file with its header's keys sorted (safetensors writes metadata in random order, and equal content is to
    be equal bytes) and with a seal among its metadata: the hash of the whole file with zeros in the seal's place."""
    header, tensors = read_header(data), memoryview(data)[_end(data) :]
    head = _head({**header, METADATA: {**header.get(METADATA, {}), SEAL: _BLANK}})
    seal = content_hash(head, tensors)
    return b"".join((head.replace(_entry(_BLANK), _entry(seal)), tensors))


def check_seal(data: bytes, *, required: bool = True) -> None:
    """Compare a file with its seal.

    Raises:
        ValueError: the file does not fit it, or has none and one is required.
    """
    metadata = read_header(data).get(METADATA)
    seal = metadata.get(SEAL) if isinstance(metadata, dict) else None
    if seal is None and not required:
        return
    if not isinstance(seal, str) or len(seal) != SEAL_LENGTH:
        raise ValueError("it has no seal")
    head, tensors = data[: _end(data)], memoryview(data)[_end(data) :]
    if head.count(_entry(seal)) != 1 or content_hash(head.replace(_entry(seal), _entry(_BLANK)), tensors) != seal:
        raise ValueError("its content does not fit its seal")


def _head(header: Mapping[str, Any]) -> bytes:
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the format aligns the tensors to 8 bytes
    return len(text).to_bytes(_LENGTH_BYTES, "little") + text


def _entry(seal: str) -> bytes:
    return f'"{SEAL}":"{seal}"'.encode()


def _end(data: bytes) -> int:
    return _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "little")
