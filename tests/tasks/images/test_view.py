"""The flat vector of a part of a classifier."""

import pytest
import torch
from torch import nn

from zoogen.errors import ZoogenError
from zoogen.tasks.images.view import ClassifierView


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))


def test_the_vector_holds_what_matches_in_the_modules_order() -> None:
    view = ClassifierView.of(network(), ("3.*", "1.bias"), statistics=False)
    assert view.names == ("1.bias", "3.weight", "3.bias") and view.layout.size == 2 + 24 + 3
    state = view.module.state_dict()
    assert torch.equal(view.extract(state), torch.cat([state[name].flatten() for name in view.names]))
    assert not view.module.training and view.has_statistics()


def test_running_statistics_of_matching_layers_and_logarithms_of_variances() -> None:
    module = network()
    module[1].running_var.copy_(torch.tensor([4.0, 0.25]))
    view = ClassifierView.of(module, ("1.weight",), statistics=True)
    assert view.names == ("1.weight", "1.running_mean", "1.running_var")
    vector = view.extract(module.state_dict())
    torch.testing.assert_close(vector[-2:], torch.tensor([4.0, 0.25]).log())
    back = view.tensors(vector.repeat(2, 1))
    for name in view.names:
        torch.testing.assert_close(back[name][1], module.state_dict()[name])
    assert bool((view.tensors(torch.full((1, 6), -20.0))["1.running_var"] > 0).all())
    assert ClassifierView.of(module, ("3.weight",), statistics=True).names == ("3.weight",)


def test_vanished_variances_stay_finite() -> None:
    module = network()
    module[1].running_var.zero_()
    view = ClassifierView.of(module, ("1.*",), statistics=True)
    assert bool(view.extract(module.state_dict()).isfinite().all())


def test_patterns_that_match_nothing() -> None:
    with pytest.raises(ZoogenError, match="pattern '3.wieght' matches no parameter; the nearest are 3.weight"):
        ClassifierView.of(network(), ("3.wieght",), statistics=False)
