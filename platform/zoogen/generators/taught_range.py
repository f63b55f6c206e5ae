"""How far a structure lies outside of what a generator was taught."""

import math
from collections.abc import Mapping, Sequence

from zoogen.tasks.base import Task

Axes = Mapping[str, float]

_TOLERANCE = 1e-9  # of rounding, at the edge of what is spanned


def beyond_taught(task: Task, structure: str, taught: Sequence[str]) -> str:
    """In which coordinates (`Task.axes`) a structure lies beyond what the taught ones span, and how far, in one line;
    empty if in none, or where the task has no coordinates.

    With two coordinates the span is the convex hull in logarithms, as sizes act by ratio.

    Example:
        `40^3: h = 40 lies beyond the 2–32 taught for n = 3`
    """
    wanted = task.axes(structure)
    known = [axes for axes in map(task.axes, taught) if axes.keys() == wanted.keys()]
    if not known or wanted in known:
        return ""
    outside = {name: line for name in wanted if (line := _beyond(name, wanted, known))}
    farther = [line for name, line in outside.items() if not _within(wanted[name], [axes[name] for axes in known])]
    said = farther or [*outside.values()][:1]  # beyond a corner both coordinates say the same
    return f"{task.label(structure)}: {'; '.join(said)}" if said else ""


def _beyond(name: str, wanted: Axes, known: Sequence[Axes]) -> str:
    """Where a coordinate lies beyond what is spanned at the values of the others; empty if it does not."""
    others = [other for other in wanted if other != name]
    equal = [axes[name] for axes in known if all(axes[other] == wanted[other] for other in others)]
    place, values = wanted, _slice(name, others[0], wanted, known) if len(others) == 1 else equal
    if not values:
        values, place = _of_nearest(name, others, wanted, known)
    if _within(wanted[name], values):
        return ""
    literal = place is not wanted or _range(equal or values) == _range(values) and bool(equal)
    how = "taught" if literal else "spanned by what was taught"
    at = ", ".join(f"{other} = {place[other]:g}" for other in others)
    return f"{name} = {wanted[name]:g} lies beyond the {_range(values)} {how}" + (f" for {at}" if at else "")


def _slice(name: str, other: str, wanted: Axes, known: Sequence[Axes]) -> list[float]:
    """Values of a coordinate on the lines between taught structures, where the other one has its wanted value."""
    at = wanted[other]
    below = [axes for axes in known if axes[other] <= at]
    above = [axes for axes in known if axes[other] >= at]
    return [_between(first, second, name, other, at) for first in below for second in above]


def _between(first: Axes, second: Axes, name: str, other: str, at: float) -> float:
    if first[other] == second[other]:
        return first[name]
    start, end, place = (_mapped(value) for value in (first[other], second[other], at))
    share = (place - start) / (end - start)
    low, high = _mapped(first[name]), _mapped(second[name])
    return _unmapped(low + share * (high - low))


def _of_nearest(name: str, others: Sequence[str], wanted: Axes, known: Sequence[Axes]) -> tuple[list[float], Axes]:
    """Values of a coordinate where the others are nearest by ratio to the wanted ones, and one such structure."""
    distances = [sum(abs(_mapped(axes[other]) - _mapped(wanted[other])) for other in others) for axes in known]
    nearest = known[distances.index(min(distances))]
    return [axes[name] for axes in known if all(axes[other] == nearest[other] for other in others)], nearest


def _mapped(value: float) -> float:
    """The logarithm of a size; a coordinate may be 0 or negative, too."""
    return math.log(value) if value >= 1 else value - 1


def _unmapped(value: float) -> float:
    return math.exp(value) if value >= 0 else value + 1


def _within(value: float, values: Sequence[float]) -> bool:
    slack = _TOLERANCE * (1 + abs(value))
    return min(values) - slack <= value <= max(values) + slack


def _range(values: Sequence[float]) -> str:
    low, high = (f"{round(value, 2):g}" for value in (min(values), max(values)))
    return low if low == high else f"{low}–{high}"
