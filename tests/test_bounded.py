"""Whatever a text from outside holds, it is plain data within bounds, or a ValueError of one short reason."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zoogen.bounded import parse_json, parse_yaml, read_bytes, read_text

SHARED = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("parse", "text", "reason"),
    [
        (parse_json, "[" * 3_000, "nested more than 64 deep"),
        (parse_json, '{"a":' * 100_000, "nested more than 64 deep"),
        (parse_json, "[" * 100 + "]" * 100, "nested more than 64 deep"),
        (parse_json, "9" * 5_000, "a whole number has 5000 digits"),
        (parse_json, '{"a": [-' + "9" * 5_000 + "]}", "a whole number has 5001 digits"),
        (parse_json, b'"\xff"', "decode"),
        (parse_yaml, "[" * 3_000, "nested more than 64 deep"),
        (parse_yaml, "[" * 200_000, "nested more than 64 deep"),
        (parse_yaml, "- " * 100_000, "nested more than 64 deep"),
        (parse_yaml, "? " * 100_000, "nested more than 64 deep"),
        (parse_yaml, "&a [*a]", "nested more than 64 deep"),
        (parse_yaml, SHARED, "more than 100,000 values"),
        (parse_yaml, "9" * 5_000, "a whole number has 5000 digits"),
        (parse_yaml, "0x" + "f" * 5_000, "a whole number has 5002 digits"),
        (parse_yaml, "x" * 300_000, "more than 262,144 bytes"),
        (parse_yaml, "a: 1\nb: 2\na: 3", "line 3: the key 'a' stands there twice"),
        (parse_yaml, "!!python/object/apply:os.system [id]", "could not determine a constructor"),
        (parse_yaml, "!!timestamp 9", "does not fit its tag"),
        (parse_yaml, "2020-99-99", "month must be in 1..12"),
        (parse_yaml, "a: [1", "line 1, column 6"),
    ],
)
def test_texts_out_of_bounds(parse: Callable[[Any], Any], text: str, reason: str) -> None:
    begin = time.process_time()
    with pytest.raises(ValueError, match=reason):
        parse(text)
    assert time.process_time() - begin < 2.0


def test_plain_data_pass() -> None:
    assert parse_json('{"a": [1, 2.5, "x", null, ' + "9" * 64 + "]}") == {"a": [1, 2.5, "x", None, int("9" * 64)]}
    assert parse_yaml("a: &x {b: 1}\nc: {<<: *x, b: 2}\nd: 0x1F") == {"a": {"b": 1}, "c": {"b": 2}, "d": 31}
    assert parse_json("[" * 60 + "]" * 60) == parse_yaml("[" * 60 + "]" * 60)


def test_files_are_read_up_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"12345")
    assert read_bytes(path, 5) == b"12345" and read_text(path, 5) == "12345"
    with pytest.raises(ValueError, match="more than 4 bytes"):
        read_bytes(path, 4)
    with pytest.raises(ValueError, match="more than 100 bytes"):
        read_bytes(Path("/dev/zero"), 100)
