"""Seals: the hash of an artifact's content, written with it and compared whenever it is read.

A seal finds damage (flipped bits, lost or mixed-up bytes), not forgery: XXH3 is many times faster than reading, and
whoever can write under the root can write a seal, too. Whose an artifact is, is checked beside it.
"""

import json
from collections.abc import Mapping
from typing import Any

import xxhash

from zoogen.bounded import parse_json
from zoogen.identity import canonical_json

SEAL = "seal"  # the member of a JSON object, or the key of metadata, that holds the hash of everything else
SEAL_LENGTH = 32  # hexadecimal digits


def content_hash(*chunks: bytes | memoryview) -> str:
    """Hash of the chunks one after the other: 32 hexadecimal digits of XXH3-128."""
    state = xxhash.xxh3_128()
    for chunk in chunks:
        state.update(chunk)
    return state.hexdigest()


def sealed_json(content: Mapping[str, Any]) -> bytes:
    """JSON-like content as the text of an object whose last member, `seal`, is the hash of all others' values.

    Raises:
        ValueError: the content has such a member, or numbers that are not finite.
    """
    if SEAL in content:
        raise ValueError(f"the content has a member {SEAL!r} of its own")
    return (json.dumps({**content, SEAL: _hash_of(content)}, indent=1, allow_nan=False) + "\n").encode()


def unsealed_json(data: bytes | str, *, required: bool = True) -> dict[str, Any]:
    """The content that `sealed_json` was given.

    Args:
        required: whether a text without a seal is refused.

    Raises:
        ValueError: the text is no such object, or its content does not fit its seal; the message says which.
    """
    content = parse_json(data)
    if not isinstance(content, dict):
        raise ValueError("it is no JSON object")
    seal = content.pop(SEAL, None)
    if seal is None and required:
        raise ValueError("it has no seal")
    if seal is not None and seal != _hash_of(content):
        raise ValueError("its content does not fit its seal")
    return content


def _hash_of(content: Mapping[str, Any]) -> str:
    return content_hash(canonical_json(content).encode())
