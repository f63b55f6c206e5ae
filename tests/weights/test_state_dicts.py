"""State dicts as people have them: what is read into them, and what is said of those that do not fit."""

import pytest
import torch
from torch import Tensor, nn

from zoogen.errors import ZoogenError
from zoogen.weights.layout import ParameterLayout
from zoogen.weights.state_dicts import Reading, differing, readings, some

LAYOUT = ParameterLayout.of({"0.weight": (3, 2), "0.bias": (3,)})


def stacked(count: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(count)
    return {name: torch.randn(count, *shape, generator=generator) for name, shape in LAYOUT.shapes.items()}


def fitting(tensors: dict[str, Tensor]) -> Reading:
    """The first reading of which the layout's tensors are a part."""
    for reading in readings(tensors):
        try:
            reading.vector(LAYOUT)
        except ZoogenError:
            continue
        return reading
    raise AssertionError("none fits")


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "model.", "module._orig_mod.", "_orig_mod.model."])
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_stacked_and_single_networks_are_read_under_any_prefix(prefix: str, count: int) -> None:
    networks = stacked(count)
    reading = fitting({prefix + name: tensor for name, tensor in networks.items()})
    assert all(torch.equal(reading.vector(LAYOUT)[name], tensor) for name, tensor in networks.items())
    assert reading.notices == ((f"names without their prefix {prefix}",) if prefix else ())
    one = fitting({prefix + name: tensor[0] for name, tensor in networks.items()})
    assert all(torch.equal(one.vector(LAYOUT)[name], tensor[:1]) for name, tensor in networks.items())
    assert one.notices[-1] == "one network without a leading dimension"


def test_a_plain_module_with_counters_is_read() -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    reading = fitting(dict(nn.DataParallel(module).state_dict()))
    assert reading.rest(LAYOUT).keys() == {f"1.{name}" for name in module[1].state_dict()}
    assert "1.num_batches_tracked" not in reading.shapes and reading.tensors["1.num_batches_tracked"].shape == (1,)


def test_names_that_begin_like_a_prefix_are_not_cut() -> None:
    layout = ParameterLayout.of({"model.a": (2,), "model.b": (2,)})
    first = next(readings({"model.a": torch.ones(4, 2), "model.b": torch.ones(4, 2)}))
    assert first.vector(layout).keys() == layout.shapes.keys() and not first.notices


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"0.bias": None}, "missing 0.bias"),
        ({"0.bias": torch.ones(2, 4)}, r"0.bias has shape \[2, 4\], expected \[K, 3\]"),
        ({"0.bias": None, "1.bias": torch.ones(2, 3)}, "missing 0.bias; unexpected 1.bias"),
        ({"0.bias": torch.ones(2, 3, dtype=torch.int64)}, "0.bias holds int64, expected floating point"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Tensor | None], message: str) -> None:
    tensors = {name: tensor for name, tensor in {**stacked(2), **change}.items() if tensor is not None}
    with pytest.raises(ZoogenError, match=message):
        next(readings(tensors)).vector(LAYOUT)


def test_many_names_are_not_all_printed() -> None:
    tensors = {f"layer{index:03}.{'x' * 200}": torch.ones(2, 1) for index in range(500)}
    with pytest.raises(ZoogenError) as caught:
        next(readings(tensors)).vector(LAYOUT)
    assert "and 497 more" in str(caught.value) and len(str(caught.value)) < 400
    assert some(["a", "b"]) == "a, b"


def test_no_networks_are_none() -> None:
    with pytest.raises(ZoogenError, match="no networks"):
        next(readings({"0.weight": torch.ones(0, 3, 2), "0.bias": torch.ones(0, 3)}))


def test_differing_tensors_are_those_beyond_rounding() -> None:
    whole = {"a": torch.ones(1, 4), "b": torch.ones(1, 4), "c": torch.ones(1, 4)}
    rest = {"a": torch.ones(1, 4) + 1e-6, "b": torch.ones(1, 4) + 1e-2, "c": torch.ones(1, 5)}
    assert differing(rest, whole) == ["b", "c"]
