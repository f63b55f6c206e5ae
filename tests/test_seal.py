"""Seals of JSON, against every single flipped bit."""

import json

import pytest

from zoogen.seal import SEAL, content_hash, sealed_json, unsealed_json

CONTENT = {"a": [1, 2.5, None, True], "b": {"c": "é", "d": -1e-300}, "empty": {}}


def test_the_hash_is_that_of_the_whole_however_it_is_cut() -> None:
    assert content_hash(b"ab", b"", memoryview(b"cd")) == content_hash(b"abcd") != content_hash(b"abdc")
    assert content_hash(b"") == "99aa06d3014798d86001c324468d497f", "XXH3-128 of nothing, by its specification"


def test_content_comes_back_and_the_seal_does_not() -> None:
    data = sealed_json(CONTENT)
    assert unsealed_json(data) == CONTENT and unsealed_json(data.decode()) == CONTENT
    assert list(json.loads(data)) == [*CONTENT, SEAL]
    assert unsealed_json(json.dumps(json.loads(data))) == CONTENT, "another layout is the same content"
    with pytest.raises(ValueError, match="member"):
        sealed_json({SEAL: 1})


def test_every_flipped_bit_gives_the_content_or_an_error() -> None:
    data, refused = sealed_json(CONTENT), 0
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            assert unsealed_json(bytes(flipped)) == CONTENT
        except ValueError:
            refused += 1
    assert refused > 6 * len(data), "few bits do not matter: those of white space"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[1]", "no JSON object"),
        ("{", "Expecting"),
        ('{"a": 1}', "no seal"),
        ('{"a": 1, "seal": 5}', "does not fit"),
        ('{"a": NaN, "seal": "x"}', "Out of range"),
        ("[" * 100_000, "nested more than 64 deep"),
    ],
)
def test_what_is_no_sealed_object_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        unsealed_json(text)


def test_a_text_of_ones_own_needs_no_seal() -> None:
    assert unsealed_json('{"a": 1}', required=False) == {"a": 1}
    with pytest.raises(ValueError, match="does not fit"):
        unsealed_json('{"a": 1, "seal": "0"}', required=False)
