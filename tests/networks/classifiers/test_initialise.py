"""Initialisations by name: their distributions, and what they leave alone."""

import pytest
import torch
from torch import nn

from zoogen.networks.classifiers.config import Initialisation
from zoogen.networks.classifiers.initialise import initialise


def net() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(4, 64, 5), nn.BatchNorm2d(64), nn.Flatten(), nn.Linear(600, 50, bias=False))


def drawn(kind: Initialisation, seed: int = 0) -> nn.Sequential:
    module = net()
    nn.init.constant_(module[1].weight, 0.7)
    initialise(module, kind, seed)
    return module


@pytest.mark.parametrize("kind", ["kaiming-uniform", "kaiming-normal"])
def test_he_et_al_keep_the_variance_of_rectified_features(kind: Initialisation) -> None:
    """Var = 2 / fan-in for both; uniform numbers end at the root of three deviations."""
    module = drawn(kind)
    for weight, fan_in in ((module[0].weight, 100), (module[3].weight, 600)):
        assert weight.var().item() == pytest.approx(2 / fan_in, rel=0.05)
        largest = weight.abs().max().item() / (2 / fan_in) ** 0.5
        assert largest < 3**0.5 if kind == "kaiming-uniform" else largest > 2.5
    assert not module[0].bias.any()


def test_the_handicap_is_positive_throughout() -> None:
    module = drawn("uniform01")
    weight = module[3].weight
    assert 0 <= weight.min() < 0.01 and 0.99 < weight.max() <= 1
    assert weight.mean().item() == pytest.approx(0.5, abs=0.01)
    assert module[0].bias.tolist() == pytest.approx([0.01] * 64)


@pytest.mark.parametrize("kind", ["torch", "kaiming-uniform", "kaiming-normal", "uniform01"])
def test_normalisation_stays_and_the_seed_decides_the_rest(kind: Initialisation) -> None:
    assert drawn(kind)[1].weight.tolist() == pytest.approx([0.7] * 64)
    if kind == "torch":
        module = net()
        before = module[3].weight.clone()
        initialise(module, kind, 0)
        assert torch.equal(module[3].weight, before)
    else:
        assert torch.equal(drawn(kind, 1)[3].weight, drawn(kind, 1)[3].weight)
        assert not torch.equal(drawn(kind, 1)[3].weight, drawn(kind, 2)[3].weight)
