"""Scaling of flat weights: inverse, statistics, structures never seen."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoogen.errors import ZoogenError
from zoogen.weights import scaling
from zoogen.weights.layout import ParameterLayout
from zoogen.weights.scaling import WeightScaler

SMALL = ParameterLayout.of({"weight": (2, 3), "bias": (2,)})
LARGE = ParameterLayout.of({"weight": (4, 5), "bias": (4,)})


def _weights(layout: ParameterLayout, rows: int = 50, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(rows, layout.size, generator=generator)
    parts = layout.unflatten(weights)
    parts["weight"].mul_(3).add_(5)
    parts["bias"].mul_(0.1).sub_(1)
    return weights


@settings(max_examples=20, deadline=None)
@given(kind=st.sampled_from(["none", "global", "tensor", "coordinate"]), seed=st.integers(0, 1000))
def test_unscale_inverts_scale(kind: str, seed: int) -> None:
    scaler = WeightScaler.fit(kind, [(SMALL, _weights(SMALL)), (LARGE, _weights(LARGE))])
    weights = _weights(LARGE, rows=3, seed=seed)
    torch.testing.assert_close(scaler.unscale(LARGE, scaler.scale(LARGE, weights)), weights)


def test_each_parameter_gets_unit_scale_pooled_over_structures() -> None:
    sets = [(SMALL, _weights(SMALL)), (LARGE, _weights(LARGE, seed=1))]
    scaler = WeightScaler.fit("tensor", sets)
    for name in ("weight", "bias"):
        pooled = torch.cat([layout.unflatten(scaler.scale(layout, w))[name].flatten() for layout, w in sets])
        assert pooled.mean().item() == pytest.approx(0, abs=1e-5)
        assert pooled.std(correction=0).item() == pytest.approx(1, abs=1e-5)


def test_global_is_one_affine_map_and_none_is_the_identity() -> None:
    weights = _weights(SMALL)
    scaled = WeightScaler.fit("global", [(SMALL, weights)]).scale(SMALL, weights)
    torch.testing.assert_close(scaled, (weights - weights.mean()) / weights.std(correction=0))
    torch.testing.assert_close(WeightScaler.fit("none", [(SMALL, weights)]).scale(SMALL, weights), weights)


def test_statistics_of_small_structures_apply_to_larger_ones() -> None:
    scaler = WeightScaler.fit("tensor", [(SMALL, _weights(SMALL, rows=5000))])
    parts = LARGE.unflatten(scaler.scale(LARGE, _weights(LARGE, rows=2000, seed=3)))
    assert parts["weight"].mean().item() == pytest.approx(0, abs=0.05)
    assert parts["bias"].std().item() == pytest.approx(1, abs=0.05)


def test_each_coordinate_gets_unit_scale_over_all_structures_of_its_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    """In blocks of a few columns, as where vectors are long."""
    monkeypatch.setattr(scaling, "_BLOCK", 3 * 90)
    first, second = _weights(SMALL), _weights(SMALL, rows=40, seed=1) + torch.arange(8.0)
    scaler = WeightScaler.fit("coordinate", [(SMALL, first), (LARGE, _weights(LARGE)), (SMALL, second)])
    pooled = torch.cat([first, second])
    expected = (pooled - pooled.mean(0)) / pooled.std(0, correction=0)
    torch.testing.assert_close(scaler.scale(SMALL, pooled), expected, atol=1e-5, rtol=1e-5)
    assert scaler.scale(LARGE, _weights(LARGE)).std(0, correction=0).tolist() == pytest.approx([1.0] * 24, abs=1e-4)


def test_coordinates_that_never_vary_are_only_shifted() -> None:
    weights = _weights(SMALL)
    weights[:, 3] = 0.1  # no power of two: rounding must not make it vary
    scaler = WeightScaler.fit("coordinate", [(SMALL, weights)])
    scaled = scaler.scale(SMALL, weights + 1)
    torch.testing.assert_close(scaled[:, 3], torch.ones(50))


def test_coordinate_statistics_are_of_a_layout_that_was_seen() -> None:
    scaler = WeightScaler.fit("coordinate", [(SMALL, _weights(SMALL))])
    with pytest.raises(ZoogenError, match="layout with 24 weights; the zoo had layouts with 8: .*tensor"):
        scaler.scale(LARGE, _weights(LARGE))
    with pytest.raises(ZoogenError, match="no checkpoints"):
        WeightScaler.fit("coordinate", [(SMALL, torch.zeros(0, 8))])


def test_parameter_that_never_varies_is_only_shifted() -> None:
    scaler = WeightScaler.fit("tensor", [(SMALL, torch.full((4, 8), 0.25))])
    torch.testing.assert_close(scaler.scale(SMALL, torch.full((1, 8), 1.25)), torch.ones(1, 8))


@pytest.mark.parametrize("kind", ["tensor", "coordinate"])
def test_state_round_trip_is_exact(kind: str) -> None:
    scaler = WeightScaler.fit(kind, [(SMALL, _weights(SMALL)), (LARGE, _weights(LARGE))])
    state = json.loads(json.dumps(scaler.to_state()))
    assert WeightScaler.from_state(state, scaler.tensors) == scaler
    assert WeightScaler.fit(kind, [(SMALL, _weights(SMALL, seed=1)), (LARGE, _weights(LARGE))]) != scaler


def test_mistakes_are_one_line() -> None:
    scaler = WeightScaler.fit("tensor", [(SMALL, _weights(SMALL))])
    other = ParameterLayout.of({"conv.weight": (3,)})
    for action in (
        lambda: scaler.scale(other, torch.zeros(3)),
        lambda: scaler.scale(SMALL, torch.zeros(9)),
        lambda: WeightScaler.fit("global", []),
        lambda: WeightScaler.from_state({"kind": "magic", "statistics": {}}),
        lambda: WeightScaler.from_state({"kind": "tensor"}),
    ):
        with pytest.raises(ZoogenError) as caught:
            action()
        assert "\n" not in str(caught.value)
