"""Tensors and metadata in one byte string, and what is not one."""

import pytest
import torch

from zoogen.errors import ZoogenError
from zoogen.weights.packing import pack, prefixed, section, unpack


def test_round_trip_keeps_views_types_and_metadata() -> None:
    base = torch.arange(12.0).view(3, 4)
    tensors = {"a": base[:, 1], "b": base.T, "c": torch.tensor(3), "d": torch.ones(2, dtype=torch.bfloat16)}
    loaded, metadata = unpack("thing", pack("thing", tensors, {"x": [1, 2.5, None], "y": {"z": "ü"}}))
    assert metadata == {"x": [1, 2.5, None], "y": {"z": "ü"}}
    for name, tensor in tensors.items():
        assert loaded[name].dtype == tensor.dtype
        assert torch.equal(loaded[name], tensor)


def test_sections_by_prefix() -> None:
    tensors = prefixed("one", {"a": torch.zeros(1)}) | prefixed("two", {"a": torch.ones(1), "b.c": torch.ones(2)})
    assert set(section("two", tensors)) == {"a", "b.c"}


def test_damage_and_other_kinds_are_one_line() -> None:
    data = pack("thing", {"a": torch.zeros(3)}, {})
    for damaged in (b"", b"\x80\x04pickle", data[:-2], data[:20], data.replace(b"kind", b"kin_")):
        with pytest.raises(ZoogenError, match="the thing is damaged") as caught:
            unpack("thing", damaged)
        assert "\n" not in str(caught.value)
    with pytest.raises(ZoogenError, match="holds a thing, not a other"):
        unpack("other", data)
