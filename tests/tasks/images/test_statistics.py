"""Running statistics taken anew against torch's own averaging in training mode."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from zoogen.tasks.images.features import frozen_prefix, whole_network
from zoogen.tasks.images.running_statistics import recalibrated, running_layers


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 3), nn.BatchNorm2d(3, affine=False),
        nn.Flatten(), nn.Linear(48, 5), nn.BatchNorm1d(5), nn.Linear(5, 3),
    ).eval()  # fmt: skip


def torchs(module: nn.Module, changed: dict[str, Tensor], images: Tensor, batches: list[int], frozen: int) -> dict:
    """`update_bn` of a copy of the module, the first `frozen` layers of which stay in evaluation mode."""
    own = copy.deepcopy(module)
    own.load_state_dict({**own.state_dict(), **changed})
    head, tail = own[:frozen].eval(), own[frozen:]
    with torch.no_grad():
        update_bn([head(part) for part in images.split(batches)], tail)
    return {name: value for name, value in own.state_dict().items() if "running" in name}


@pytest.mark.parametrize(("batch", "batches"), [(64, [21]), (8, [8, 8, 5]), (10, [10, 11])])
def test_statistics_are_those_of_training_mode(batch: int, batches: list[int]) -> None:
    module, images = network(), torch.randn(21, 1, 8, 8)
    state = module.state_dict()
    tensors = {name: state[name] + torch.randn(3, *state[name].shape) for name in ("0.weight", "1.bias", "6.weight")}
    found = recalibrated(whole_network(module, images), tensors, batch)
    assert set(found) == {f"{layer}.running_{kind}" for layer in (1, 4, 7) for kind in ("mean", "var")}
    for k in range(3):
        expected = torchs(module, {name: value[k] for name, value in tensors.items()}, images, batches, 0)
        for name, value in expected.items():
            torch.testing.assert_close(found[name][k], value, rtol=1e-4, atol=1e-5)


def test_layers_of_the_frozen_part_keep_theirs() -> None:
    module, images = network(), torch.randn(21, 1, 8, 8)
    state = module.state_dict()
    tensors = {"3.bias": state["3.bias"] + torch.randn(2, 3)}
    prefix = frozen_prefix(module, tensors, images)
    assert prefix is not None
    found = recalibrated(prefix, tensors, 64)
    expected = torchs(module, {"3.bias": tensors["3.bias"][1]}, images, [21], 3)
    assert set(found) == {f"{layer}.running_{kind}" for layer in (4, 7) for kind in ("mean", "var")}
    for name, value in found.items():
        torch.testing.assert_close(value[1], expected[name], rtol=1e-4, atol=1e-5)


def test_nothing_to_take_anew() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.LayerNorm(2)).eval()
    assert recalibrated(whole_network(module, torch.randn(3, 1, 2, 2)), {"1.bias": torch.zeros(2, 2)}) == {}
    assert running_layers(module) == {}
