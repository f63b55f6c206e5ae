"""Which parts of a network may be permuted against each other without changing its function."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from zoogen.weights.layout import ParameterLayout


@dataclass(frozen=True)
class Place:
    """An axis of a tensor along which the units of a group lie.

    Attributes:
        tensor: name in the layout.
        axis: dimension of that tensor.
        repeat: consecutive entries along the axis that belong to one unit (a flattened feature map of
            `repeat` positions per channel); 1 where every entry is a unit of its own.
    """

    tensor: str
    axis: int
    repeat: int = 1


@dataclass(frozen=True)
class UnitGroup:
    """Units that may be renumbered: the same permutation applied at all `places` leaves the function as it is.

    Attributes:
        name: for messages, for example `hidden1`.
        size: number of units.
        places: where the units appear: rows of the layer that makes them, columns of those that read them.
    """

    name: str
    size: int
    places: tuple[Place, ...]


def linear_chain(layout: ParameterLayout, layers: Sequence[str]) -> tuple[UnitGroup, ...]:
    """Groups `hidden1`, `hidden2`, … of a perceptron with elementwise activations: one between any two of its layers.

    Units are rows of the layer that makes them and columns of the one that reads them.

    Args:
        layout: holds `<layer>.weight` [out, in] and `<layer>.bias` [out].
        layers: in the order in which they are applied.

    Example:
        >>> layout = ParameterLayout.of({"a.weight": (2, 3), "a.bias": (2,), "b.weight": (1, 2), "b.bias": (1,)})
        >>> [(place.tensor, place.axis) for place in linear_chain(layout, ("a", "b"))[0].places]
        [('a.weight', 0), ('a.bias', 0), ('b.weight', 1)]
    """
    groups = []
    for number, (made, read) in enumerate(pairwise(layers), start=1):
        places = (Place(f"{made}.weight", 0), Place(f"{made}.bias", 0), Place(f"{read}.weight", 1))
        groups.append(UnitGroup(f"hidden{number}", layout.shapes[f"{made}.bias"][0], places))
    return tuple(groups)
