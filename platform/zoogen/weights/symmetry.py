"""Which parts of a network may be permuted against each other without changing its function."""

from dataclasses import dataclass


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
