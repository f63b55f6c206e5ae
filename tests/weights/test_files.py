"""Weights files: round trip, atomic writing, and one line for every kind of bad file."""

import json
import struct

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from zoogen.errors import ZoogenError
from zoogen.weights.files import read_weights, write_weights
from zoogen.weights.layout import ParameterLayout

LAYOUT = ParameterLayout.of({"dense1.weight": (3, 2), "dense1.bias": (3,)})


def test_round_trip_keeps_values_names_and_metadata(tmp_path):
    flat = torch.randn(4, LAYOUT.size, generator=torch.Generator().manual_seed(0))
    path = tmp_path / "new" / "nets.safetensors"
    write_weights(path, LAYOUT, flat, {"structure": "3,3", "seed": "0"})
    read = read_weights(path)
    assert read.metadata == {"structure": "3,3", "seed": "0"}
    assert torch.equal(LAYOUT.flatten(read.tensors), flat)
    # An independent reader sees the same: row 2 of the flat vector, cut by hand.
    with safe_open(path, "pt") as file:
        assert torch.equal(file.get_tensor("dense1.weight")[2], flat[2, :6].reshape(3, 2))
        assert torch.equal(file.get_tensor("dense1.bias")[2], flat[2, 6:])


def test_nothing_is_left_behind_when_writing_fails(tmp_path):
    target = tmp_path / "nets.safetensors"
    target.mkdir()  # a folder in the file's place: the rename fails after the bytes were written
    with pytest.raises(ZoogenError, match="cannot write"):
        write_weights(target, LAYOUT, torch.zeros(1, LAYOUT.size), {})
    assert list(tmp_path.iterdir()) == [target]
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(ZoogenError, match="cannot write .*writable folder"):
        write_weights(blocked / "nets.safetensors", LAYOUT, torch.zeros(1, LAYOUT.size), {})


def test_refuses_to_write_what_it_would_not_read(tmp_path):
    flat = torch.zeros(2, LAYOUT.size)
    flat[1, 7] = float("nan")
    with pytest.raises(ZoogenError, match=r"dense1\.bias\[1, 1\] is nan"):
        write_weights(tmp_path / "a", LAYOUT, flat, {})
    with pytest.raises(ZoogenError, match="expected"):
        write_weights(tmp_path / "a", LAYOUT, torch.zeros(0, LAYOUT.size), {})
    assert not list(tmp_path.iterdir())


def _file_of(tmp_path, tensors):
    path = tmp_path / "bad.safetensors"
    save_file(tensors, path)
    return path


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({}, "holds no tensors"),
        ({"a": torch.tensor([[0.0, 1.0], [float("inf"), float("nan")]])}, r"a\[1, 0\] is inf.*2 are not"),
    ],
)
def test_bad_contents_are_one_line(tmp_path, tensors, message):
    with pytest.raises(ZoogenError, match=message) as caught:
        read_weights(_file_of(tmp_path, tensors))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04 not safetensors", struct.pack("<Q", 2**60) + b"{}", struct.pack("<Q", 4) + b"nope"]
)
def test_other_files_are_named_as_such(tmp_path, data):
    path = tmp_path / "x.bin"
    path.write_bytes(data)
    with pytest.raises(ZoogenError, match="not a safetensors file"):
        read_weights(path)


def test_truncated_file_and_missing_file(tmp_path):
    path = tmp_path / "nets.safetensors"
    write_weights(path, LAYOUT, torch.ones(2, LAYOUT.size), {})
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ZoogenError, match="not a safetensors file"):
        read_weights(path)
    with pytest.raises(ZoogenError, match="cannot read weights file .*No such file"):
        read_weights(tmp_path / "absent")


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null"])
def test_devices_are_not_read(path):
    with pytest.raises(ZoogenError, match="it is a device or pipe"):
        read_weights(path)


def test_half_precision_is_read_as_float32_and_absent_metadata_as_empty(tmp_path):
    read = read_weights(_file_of(tmp_path, {"a": torch.ones(2, 2, dtype=torch.bfloat16)}))
    assert read.tensors["a"].dtype == torch.float32
    assert read.metadata == {}
    assert json.dumps(read.metadata) == "{}"
