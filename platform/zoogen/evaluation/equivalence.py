"""Training-equivalent iterations: how long conventional training takes to be as good as a method's networks."""

import math
from collections.abc import Sequence
from typing import Literal

from zoogen.evaluation.records import Record

BUDGET = "conventional-"  # before the iterations in the name of a method that was trained for the evaluation
_TINY = 1e-300  # stands for a metric of 0 on the logarithmic axis


class EquivalentIterations(Record):
    """Iterations of conventional training that reach the median of a method's networks.

    Attributes:
        iterations: interpolated; the shortest or longest training that was measured where the median lies beyond.
        bound: `<` where the shortest one is better already, `>` where the longest one is still worse.
    """

    iterations: float
    bound: Literal["", "<", ">"] = ""

    @property
    def text(self) -> str:
        """For reading: `1,240`, `< 500`, `> 5,000`."""
        return f"{self.bound} {self.iterations:,.0f}".strip()


def budget_of(method: str) -> int | None:
    """Iterations of a method that was trained for the evaluation: 500 of `conventional-500`; None of others."""
    iterations = method.removeprefix(BUDGET)
    return int(iterations) if iterations != method and iterations.isdecimal() else None


def equivalent_iterations(level: float, trained: Sequence[tuple[int, float]]) -> EquivalentIterations | None:
    """When conventional training first reaches a level, interpolated between its budgets on logarithmic axes.

    Args:
        level: of a metric for which lower is better; may be infinite.
        trained: iterations of a whole training and the median that it ends at, in any order.

    Returns:
        None without trainings, or where there is no level.
    """
    curve = sorted(trained)
    if not curve or math.isnan(level):
        return None
    first, last = curve[0], curve[-1]
    if level >= first[1]:
        return EquivalentIterations(iterations=first[0], bound="<" if level > first[1] else "")
    for (start, above), (end, below) in zip(curve, curve[1:], strict=False):
        if below <= level < above:
            return EquivalentIterations(iterations=_between(level, start, above, end, below))
    return EquivalentIterations(iterations=last[0], bound=">")


def _between(level: float, start: int, above: float, end: int, below: float) -> float:
    """Iterations between `start` and `end`; an infinite median is above everything, so its end alone is known."""
    if math.isinf(above) or level == below:
        return float(end)
    high, low, wanted = (math.log(max(value, _TINY)) for value in (above, below, level))
    share = (high - wanted) / (high - low) if high > low else 1.0
    return math.exp(math.log(start) + share * (math.log(end) - math.log(start)))
