"""Hidden units renumbered so that a network comes close to another (Git Re-Basin, Ainsworth et al. 2023, §3.2).

Two networks that differ only in the numbering of their hidden units compute the same function, yet their flat
vectors lie far apart. `align` undoes that: coordinate descent over the groups of units, each step a linear
assignment that is solved exactly (Hungarian method). The whole problem is NP-hard, so what is found is a local
optimum: an upper bound of the distance between two networks up to renumbering. `blind` gives a lower bound.
"""

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.weights.layout import ParameterLayout
from zoogen.weights.symmetry import Place, UnitGroup

_ROWS, _VALUES = 64, 1 << 26  # networks and weights aligned at once: bound memory, not the answer
_SWEEPS = 50  # the descent usually ends by itself after three to six
_TOLERANCE = 1e-9  # share of a squared distance below which a change is rounding


def align(weights: Tensor, reference: Tensor, layout: ParameterLayout, groups: Sequence[UnitGroup]) -> Tensor:
    """Networks with their hidden units renumbered so that each comes close to its reference.

    The descent starts from a match by those tensors of which one axis alone is renumbered (inputs, biases, outputs);
    where that ends farther than the units as they are numbered, it starts from these. So no row moves away.

    Args:
        weights: [K, D].
        reference: one network [D] for all, or one for each, [K, D].
        layout: of both.
        groups: units that may be renumbered; without any, `weights` are returned as they are.

    Returns:
        [K, D], of the type and on the device of `weights`: the same functions, rows closer to the reference.

    Raises:
        ZoogenError: shapes do not fit, or a group does not fit the layout.

    Example:
        >>> layout = ParameterLayout.of({"in": (2, 1), "out": (1, 2)})
        >>> units = UnitGroup("hidden", 2, (Place("in", 0), Place("out", 1)))
        >>> align(torch.tensor([[3.0, 1.0, 4.0, 2.0]]), torch.tensor([1.0, 3.0, 2.0, 4.0]), layout, (units,))
        tensor([[1., 3., 2., 4.]])
    """
    return weights.gather(1, matching_order(weights, reference, layout, groups))


def matching_order(weights: Tensor, reference: Tensor, layout: ParameterLayout, groups: Sequence[UnitGroup]) -> Tensor:
    """The renumbering that `align` does, as coordinates: `weights.gather(1, order)` are the aligned networks.

    What is found for one checkpoint of a run can so be done to all of them.

    Args:
        weights, reference, layout, groups: as of `align`.

    Returns:
        [K, D] int64, on the device of `weights`: which coordinate of the old vector stands at each place of the new.

    Raises:
        ZoogenError: as `align`.
    """
    _check(layout, groups)
    if reference.shape not in (weights.shape, weights.shape[1:]) or weights.ndim != 2:
        raise ZoogenError(
            f"weights of shape {list(weights.shape)} cannot be aligned to {list(reference.shape)}: "
            "give weights [K, D] and a reference [D] or [K, D]"
        )
    start = torch.arange(weights.shape[1], device=weights.device)
    if not groups or not len(weights):
        return start.expand(len(weights), -1)
    parts, at_once = [], max(1, min(_ROWS, _VALUES // weights.shape[1]))
    for rows, others in zip(weights.split(at_once), reference.expand_as(weights).split(at_once), strict=True):
        parts.append(_order(rows.double(), others.double(), layout, groups))
    return torch.cat(parts)


def permute(weights: Tensor, layout: ParameterLayout, group: UnitGroup, permutation: Tensor) -> Tensor:
    """Networks [K, D] with the units of a group renumbered: new unit i is the old unit `permutation[i]`.

    Args:
        weights: [K, D].
        layout: of the networks.
        group: the units.
        permutation: [size] for all networks, or [K, size]; int64.

    Returns:
        [K, D], the same functions.

    Raises:
        ZoogenError: the group does not fit the layout.
    """
    _check(layout, (group,))
    tensors = dict(layout.unflatten(weights))
    chosen = permutation.to(weights.device).expand(len(weights), group.size).unsqueeze(2)
    for place in group.places:
        tensor = tensors[place.tensor]
        units = torch.take_along_dim(_units(tensor, place, group.size), chosen, 1)
        front = tensor.movedim(place.axis + 1, 1)
        tensors[place.tensor] = units.reshape(front.shape).movedim(1, place.axis + 1)
    return layout.flatten(tensors)


def blind(weights: Tensor, layout: ParameterLayout, groups: Sequence[UnitGroup]) -> Tensor:
    """What of the networks [K, D] no renumbering can change: each tensor sorted along its units, [K, D].

    The distance between two such rows is at most that of the networks after any renumbering, because sorting
    minimises the distance over all orders of the values (rearrangement inequality). It is 0 for renumbered copies.

    Raises:
        ZoogenError: a group does not fit the layout.
    """
    _check(layout, groups)
    tensors = dict(layout.unflatten(weights))
    for name, tensor in tensors.items():
        axes = sorted({place.axis + 1 for group in groups for place in group.places if place.tensor == name})
        if axes:
            moved = tensor.movedim(axes, tuple(range(1, len(axes) + 1)))
            tensors[name] = moved.flatten(1, len(axes)).sort(1).values.reshape(tensor.shape)
    return layout.flatten(tensors)


def _check(layout: ParameterLayout, groups: Sequence[UnitGroup]) -> None:
    for group in groups:
        for place in group.places:
            shape = layout.shapes.get(place.tensor, ())
            if not 0 <= place.axis < len(shape) or shape[place.axis] != group.size * place.repeat:
                raise ZoogenError(
                    f"the group {group.name} of {group.size} units (x {place.repeat}) does not fit axis {place.axis} "
                    f"of {place.tensor}, which has shape {list(shape)}"
                )


def _units(tensor: Tensor, place: Place, size: int) -> Tensor:
    """What a tensor [K, *shape] holds of each unit, [K, size, values]."""
    return tensor.movedim(place.axis + 1, 1).reshape(len(tensor), size, -1)


def _squared(weights: Tensor, reference: Tensor) -> Tensor:
    return ((weights - reference) ** 2).sum(-1)


def _matching(weights: Tensor, reference: Tensor, layout: ParameterLayout, group: UnitGroup) -> Tensor:
    """The permutation [K, size] of a group that maximises the inner products of matched units.

    At the group's places the squared distance is a constant minus twice that sum, all else fixed.
    """
    from scipy.optimize import linear_sum_assignment

    own, other = layout.unflatten(weights), layout.unflatten(reference)
    similarity = weights.new_zeros(len(weights), group.size, group.size)
    for place in group.places:
        mine, theirs = _units(own[place.tensor], place, group.size), _units(other[place.tensor], place, group.size)
        similarity.baddbmm_(theirs, mine.transpose(1, 2))
    solved = [linear_sum_assignment(matrix, maximize=True)[1] for matrix in similarity.cpu().numpy()]
    return torch.stack([torch.from_numpy(columns) for columns in solved]).to(weights.device)


def _order(weights: Tensor, reference: Tensor, layout: ParameterLayout, groups: Sequence[UnitGroup]) -> Tensor:
    """Of rows [K, D] in float64: the better end of two descents, [K, D] int64."""
    as_numbered = torch.arange(weights.shape[1], device=weights.device).repeat(len(weights), 1)
    anchored = _anchored(weights, as_numbered, reference, layout, groups)
    found = _descend(weights, anchored, reference, layout, groups)
    worse = _squared(weights.gather(1, found), reference) > _squared(weights, reference)
    if bool(worse.any()):
        found[worse] = _descend(weights[worse], as_numbered[worse], reference[worse], layout, groups)
    return found


def _anchored(
    weights: Tensor, order: Tensor, reference: Tensor, layout: ParameterLayout, groups: Sequence[UnitGroup]
) -> Tensor:
    """Each group matched by the tensors of which only one axis is renumbered: no match of others can spoil that."""
    named = Counter(place.tensor for group in groups for place in group.places)
    for group in groups:
        own = tuple(place for place in group.places if named[place.tensor] == 1)
        if own:
            anchors = UnitGroup(group.name, group.size, own)
            order = permute(order, layout, group, _matching(weights.gather(1, order), reference, layout, anchors))
    return order


def _descend(
    weights: Tensor, order: Tensor, reference: Tensor, layout: ParameterLayout, groups: Sequence[UnitGroup]
) -> Tensor:
    """Coordinate descent of every row, from the renumbering `order` until no group's matching brings it closer."""
    order = order.clone()
    distance = _squared(weights.gather(1, order), reference)
    unimproved = torch.zeros(len(weights), dtype=torch.int64, device=weights.device)  # groups in a row
    for step in range(_SWEEPS * len(groups)):
        active = torch.nonzero(unimproved < len(groups)).squeeze(1)
        if not len(active):
            break
        group, rows, goal = groups[step % len(groups)], weights[active], reference[active]
        matching = _matching(rows.gather(1, order[active]), goal, layout, group)
        moved = permute(order[active], layout, group, matching)
        after = _squared(rows.gather(1, moved), goal)
        closer = after < distance[active] * (1 - _TOLERANCE)
        order[active[closer]], distance[active[closer]] = moved[closer], after[closer]
        # what was just solved need not be solved again until another group moves, unless it met itself in a tensor
        solved = int(len({place.tensor for place in group.places}) == len(group.places))
        unimproved[active] = torch.where(closer, solved, unimproved[active] + 1)
    return order
