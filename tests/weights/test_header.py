"""Seals of safetensors files, against every single flipped bit."""

import pytest
import torch
from safetensors.torch import load, save
from tests.flips import flipped_bits

from zoogen.weights.header import check_seal, read_header, sealed

DATA = sealed(save({"b": torch.arange(6.0).reshape(2, 3), "a": torch.ones(1)}, metadata={"task": "none", "k": "é"}))


def test_a_sealed_file_is_a_safetensors_file_and_the_same_every_time() -> None:
    check_seal(DATA)
    assert torch.equal(load(DATA)["b"], torch.arange(6.0).reshape(2, 3))
    assert {"task", "k", "seal"} == read_header(DATA)["__metadata__"].keys()
    again = sealed(
        save({"a": torch.ones(1), "b": torch.arange(6.0).reshape(2, 3)}, metadata={"k": "é", "task": "none"})
    )
    assert again == DATA == sealed(DATA)


def test_no_flipped_bit_keeps_the_seal() -> None:
    for flipped in flipped_bits(DATA, 8 * len(DATA)):
        with pytest.raises(ValueError):
            check_seal(flipped)


@pytest.mark.parametrize("change", [(b"F32", b"I32"), (b"[2,3]", b"[3,2]"), (b'"task":"none"', b'"task":"nine"')])
def test_a_changed_header_does_not_fit(change: tuple[bytes, bytes]) -> None:
    assert change[0] in DATA
    with pytest.raises(ValueError, match="does not fit its seal"):
        check_seal(DATA.replace(*change))


@pytest.mark.parametrize(
    "data", [b"", b"\xff" * 8, DATA[:7], DATA[:40], DATA[:-1], DATA + b"\0", DATA[:8] + b"[" * 9999]
)
def test_what_is_no_whole_file_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        check_seal(data)


def test_a_seal_may_be_asked_for() -> None:
    bare = save({"a": torch.ones(1)})
    check_seal(bare, required=False)
    with pytest.raises(ValueError, match="no seal"):
        check_seal(bare)
