"""Which of a classifier's symmetries the generated vector has."""

from collections.abc import Iterable
from dataclasses import replace

from zoogen.weights.layout import ParameterLayout
from zoogen.weights.symmetry import Place, UnitGroup


def within(groups: Iterable[UnitGroup], layout: ParameterLayout, recalibrated: bool) -> tuple[UnitGroup, ...]:
    """Groups of the whole network that are symmetries of its part in `layout`, the rest of it staying as it is.

    Units may be renumbered only where all of their places are in the vector: running statistics that are kept name
    the units, too. Where those are taken anew for every network, they follow the units by themselves.
    """
    found = []
    for group in groups:
        places = tuple(place for place in group.places if not (recalibrated and _is_statistic(place)))
        if places and all(place.tensor in layout.shapes for place in places):
            found.append(replace(group, places=places))
    return tuple(found)


def _is_statistic(place: Place) -> bool:
    return place.tensor.endswith(("running_mean", "running_var"))
