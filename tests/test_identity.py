import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoogen.identity import DIGEST_LENGTH, canonical_json, derive_seed, digest

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda child: st.lists(child, max_size=4) | st.dictionaries(st.text(), child, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), JSON, max_size=6))
def test_digest_ignores_the_order_of_keys(mapping: dict) -> None:
    turned = dict(reversed(list(mapping.items())))
    assert digest(mapping) == digest(turned)
    assert len(digest(mapping)) == DIGEST_LENGTH and set(digest(mapping)) <= set("0123456789abcdef")


def test_digest_depends_on_every_value() -> None:
    values = [
        {"a": 1},
        {"a": 2},
        {"a": 1.5},
        {"a": "1"},
        {"a": None},
        {"b": 1},
        {"a": [1]},
        {"a": [1, 2]},
        {"a": [2, 1]},
    ]
    assert len({digest(value) for value in values}) == len(values)


def test_digest_is_sha256_of_the_canonical_text() -> None:
    # sha256('{"a":[1,2.5],"b":null}'), from the sha256sum program
    assert canonical_json({"b": None, "a": [1, 2.5]}) == '{"a":[1,2.5],"b":null}'
    assert digest({"b": None, "a": [1, 2.5]}) == "f66b2c50ccae61e3"


def test_nan_has_no_identity() -> None:
    with pytest.raises(ValueError):
        digest({"a": float("nan")})


def test_seeds_differ_by_part_and_fit_in_63_bits() -> None:
    seeds = {
        derive_seed(base, run, purpose) for base in range(10) for run in range(20) for purpose in ("init", "sample")
    }
    assert len(seeds) == 400
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert derive_seed("ab", "c") != derive_seed("a", "bc")


def test_seeds_are_equal_in_another_process() -> None:
    code = "from zoogen.identity import derive_seed; print(derive_seed(7, 'zoo', 3))"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONPATH": "platform", "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert outputs == {f"{derive_seed(7, 'zoo', 3)}\n"}
