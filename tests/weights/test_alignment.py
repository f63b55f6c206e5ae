"""Matching hidden units: against brute force over all renumberings, and on networks whose answer is known."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from zoogen.errors import ZoogenError
from zoogen.networks.stacked_mlp import MLPShape, StackedMLP
from zoogen.weights.alignment import align, blind, permute
from zoogen.weights.layout import ParameterLayout
from zoogen.weights.symmetry import Place, UnitGroup, linear_chain

LAYERS = ("dense1", "dense2", "dense3")


def mlp(inputs: int, hidden: int, outputs: int) -> tuple[MLPShape, ParameterLayout, tuple[UnitGroup, ...]]:
    shape = MLPShape(inputs, hidden, outputs)
    return shape, shape.layout, linear_chain(shape.layout, LAYERS)


def shuffled(weights: Tensor, layout: ParameterLayout, groups: tuple[UnitGroup, ...], seed: int) -> Tensor:
    """Every row with its own random renumbering of every group."""
    generator = torch.Generator().manual_seed(seed)
    for group in groups:
        orders = torch.stack([torch.randperm(group.size, generator=generator) for _ in weights])
        weights = permute(weights, layout, group, orders)
    return weights


def squared(a: Tensor, b: Tensor) -> Tensor:
    return ((a.double() - b.double()) ** 2).sum(-1)


def test_renumbered_units_compute_the_same_function() -> None:
    shape, layout, groups = mlp(6, 8, 3)
    weights = shape.initial([1, 2, 3])
    moved = shuffled(weights, layout, groups, 0)
    assert (squared(weights, moved) > 1).all()
    inputs = torch.randn(3, 20, 6, generator=torch.Generator().manual_seed(1))
    before, after = StackedMLP(shape, weights).forward(inputs)[0], StackedMLP(shape, moved).forward(inputs)[0]
    torch.testing.assert_close(before, after)


def test_new_unit_i_is_old_unit_permutation_i() -> None:
    layout = ParameterLayout.of({"in": (3, 1), "out": (1, 3)})
    group = UnitGroup("hidden", 3, (Place("in", 0), Place("out", 1)))
    moved = permute(torch.tensor([[1.0, 2, 3, 4, 5, 6]]), layout, group, torch.tensor([2, 0, 1]))
    assert moved.tolist() == [[3, 1, 2, 6, 4, 5]]


@pytest.mark.parametrize("inputs,outputs", [(4, 3), (36, 4), (64, 5)])
def test_renumbered_copies_are_recovered(inputs: int, outputs: int) -> None:
    shape, layout, groups = mlp(inputs, 32, outputs)
    weights = shape.initial(list(range(40)))
    copies = shuffled(weights, layout, groups, 5)
    assert torch.equal(align(copies, weights, layout, groups), weights)


def test_noisy_copies_are_recovered_to_the_noise() -> None:
    shape, layout, groups = mlp(20, 16, 3)
    weights = shape.initial(list(range(10)))
    noise = 0.02 * torch.randn(weights.shape, generator=torch.Generator().manual_seed(3))
    found = align(shuffled(weights + noise, layout, groups, 4), weights, layout, groups)
    torch.testing.assert_close(found, weights + noise)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_one_group_is_matched_as_well_as_by_brute_force(seed: int) -> None:
    layout = ParameterLayout.of({"a.weight": (5, 2), "a.bias": (5,), "b.weight": (2, 5), "b.bias": (2,)})
    (group,) = linear_chain(layout, ("a", "b"))
    row, reference = torch.randn(2, layout.size, generator=torch.Generator().manual_seed(seed))
    orders = torch.tensor(list(itertools.permutations(range(5))))
    everything = permute(row.expand(len(orders), -1), layout, group, orders)
    best = squared(everything, reference).min()
    torch.testing.assert_close(squared(align(row[None], reference, layout, (group,)), reference)[0], best)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_two_groups_lie_between_the_bound_and_the_plain_distance(seed: int) -> None:
    shape, layout, groups = mlp(3, 4, 2)
    row, reference = shape.initial([seed, seed + 1])
    orders = list(itertools.permutations(range(4)))
    everything = torch.cat(
        [
            permute(permute(row.expand(24, -1), layout, groups[0], torch.tensor(orders)), layout, groups[1], second)
            for second in torch.tensor(orders)
        ]
    )
    best = squared(everything, reference).min()
    found = squared(align(row[None], reference, layout, groups), reference)[0]
    bound = squared(*blind(torch.stack([row, reference]), layout, groups))
    assert bound - 1e-9 <= best <= found + 1e-9
    assert found <= squared(row, reference)


def test_a_row_is_never_moved_away() -> None:
    shape, layout, groups = mlp(9, 12, 4)
    weights, references = shape.initial(list(range(100))), shape.initial(list(range(100, 200)))
    before, after = squared(weights, references), squared(align(weights, references, layout, groups), references)
    assert (after <= before).all()
    assert (after < before).all()  # independent networks always gain something
    # a network that is its own reference stays, ties between equal units or not
    equal = torch.zeros(2, layout.size)
    assert torch.equal(align(equal, equal, layout, groups), equal)
    assert torch.equal(align(weights, weights, layout, groups), weights)


def test_one_reference_serves_all_rows_as_one_each_does() -> None:
    shape, layout, groups = mlp(5, 6, 3)
    weights, reference = shape.initial(list(range(70))), shape.initial([99])[0]  # more rows than are aligned at once
    each = align(weights, reference.expand(70, -1), layout, groups)
    assert torch.equal(align(weights, reference, layout, groups), each)
    alone = torch.cat([align(row[None], reference, layout, groups) for row in weights])
    assert torch.equal(alone, each)


def test_channels_of_a_flattened_feature_map_move_in_blocks() -> None:
    """conv(1→4) → flatten (4 channels × 9 positions) → linear: the linear layer's columns move nine at a time."""
    conv, linear = nn.Conv2d(1, 4, 3), nn.Linear(36, 2)
    layout = ParameterLayout.of({"c.weight": (4, 1, 3, 3), "c.bias": (4,), "l.weight": (2, 36), "l.bias": (2,)})
    group = UnitGroup("channels", 4, (Place("c.weight", 0), Place("c.bias", 0), Place("l.weight", 1, repeat=9)))
    weights = torch.randn(1, layout.size, generator=torch.Generator().manual_seed(0))
    images = torch.randn(6, 1, 5, 5, generator=torch.Generator().manual_seed(1))

    def outputs(flat: Tensor) -> Tensor:
        tensors = layout.unflatten(flat[0])
        conv.load_state_dict({name[2:]: tensors[name] for name in ("c.weight", "c.bias")})
        linear.load_state_dict({name[2:]: tensors[name] for name in ("l.weight", "l.bias")})
        with torch.no_grad():
            return linear(conv(images).relu().flatten(1))

    moved = permute(weights, layout, group, torch.tensor([3, 1, 0, 2]))
    torch.testing.assert_close(outputs(moved), outputs(weights))
    assert torch.equal(align(moved, weights, layout, (group,)), weights)


def test_a_group_on_both_axes_of_a_tensor_gains_without_moving_away() -> None:
    layout = ParameterLayout.of({"in": (6, 2), "square": (6, 6)})
    group = UnitGroup("stream", 6, (Place("in", 0), Place("square", 0), Place("square", 1)))
    weights = torch.randn(8, layout.size, generator=torch.Generator().manual_seed(0))
    copies = shuffled(weights, layout, (group,), 1)
    assert torch.equal(align(copies, weights, layout, (group,)), weights)
    torch.testing.assert_close(blind(copies, layout, (group,)), blind(weights, layout, (group,)))
    square = ParameterLayout.of({"square": (6, 6)})  # nothing else to hold on to: a quadratic assignment
    stream = UnitGroup("stream", 6, group.places[1:])
    first, second = torch.randn(2, 30, 36, generator=torch.Generator().manual_seed(2))
    assert (squared(align(first, second, square, (stream,)), second) <= squared(first, second)).all()


def test_the_bound_is_zero_for_renumbered_copies_alone() -> None:
    shape, layout, groups = mlp(7, 10, 3)
    weights = shape.initial([1, 2])
    assert torch.equal(blind(shuffled(weights, layout, groups, 9), layout, groups), blind(weights, layout, groups))
    assert squared(*blind(weights, layout, groups)) > 0.1


def test_without_groups_or_rows_nothing_moves() -> None:
    shape, layout, groups = mlp(3, 4, 2)
    weights = shape.initial([1, 2])
    assert torch.equal(align(weights, weights[0], layout, ()), weights)
    assert align(weights[:0], weights[0], layout, groups).shape == (0, layout.size)


def test_what_does_not_fit_is_refused() -> None:
    shape, layout, groups = mlp(3, 4, 2)
    weights = shape.initial([1, 2])
    with pytest.raises(ZoogenError, match="cannot be aligned"):
        align(weights, shape.initial([1, 2, 3]), layout, groups)
    with pytest.raises(ZoogenError, match="hidden of 5 units"):
        align(weights, weights, layout, (UnitGroup("hidden", 5, (Place("dense1.bias", 0),)),))
    with pytest.raises(ZoogenError, match="dense9"):
        permute(weights, layout, UnitGroup("hidden", 4, (Place("dense9.bias", 0),)), torch.arange(4))
