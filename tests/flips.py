"""Single flipped bits of a file, and what reads it then."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from zoogen.errors import ZoogenError


def flipped_bits(data: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """The data with one random bit flipped, `count` times."""
    chance = random.Random(seed)
    for bit in chance.sample(range(8 * len(data)), count):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        yield bytes(flipped)


def reads_of_flipped(path: Path, read: Callable[[], Any], count: int, seed: int = 0) -> list[str]:
    """Read a file with one bit flipped, `count` times; the messages of those that were refused. Others must read as
    before, and every message must be one line."""
    data, whole, messages = path.read_bytes(), read(), []
    for flipped in flipped_bits(data, count, seed):
        path.write_bytes(flipped)
        try:
            assert read() == whole, "a flipped bit changed what is read"
        except ZoogenError as error:
            messages.append(str(error))
    path.write_bytes(data)
    assert read() == whole and not any("\n" in message for message in messages)
    return messages
