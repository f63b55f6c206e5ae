"""When one value of a ranking metric is as good as another: by ratio, or, for errors, by points of accuracy.

Ratios of errors say nothing near 0: one image in a thousand against none is infinitely worse. Medians of errors do not
see that up to half of the networks failed, and p-diff's tables have means.
"""

import math
from dataclasses import dataclass

from zoogen.evaluation.result import MethodResult
from zoogen.reports.accuracy import accuracies, accuracy, equal_points
from zoogen.reports.named_evaluations import median
from zoogen.reports.table_rows import metric_title, number

GOOD = 2.0  # at most so many times the trained runs' median: the spread between seeds is of this size
SAME = 1.05  # medians this close count as equal
GOOD_POINTS = 2.0  # points of accuracy below the trained runs that still count as good (98 % of 100 %)


def middle(result: MethodResult) -> float:
    """Median of the ranking metric, mean of an error; infinite if there is none."""
    if result.ranks_by_error:
        return 1 - accuracies(result).mean / 100
    value = median(result)
    return math.inf if value is None else value


@dataclass(frozen=True)
class Quality:
    """The `middle` of a method, lower is better, and how it compares with others'.

    Attributes:
        metric: the metric that ranks.
        value: infinite where there is none.
        equal: points of accuracy that count as equal, where the metric is an error; None for other metrics.
    """

    metric: str
    value: float
    equal: float | None = None

    @classmethod
    def of(cls, result: MethodResult) -> "Quality":
        return cls(result.primary, middle(result), equal_points(result) if result.ranks_by_error else None)

    def reached_by(self, rival: float) -> bool:
        """Whether another median is as good."""
        if self.equal is None:
            return rival <= SAME * self.value
        return 100 * (rival - self.value) <= self.equal + 1e-9

    def as_good_as_trained(self, trained: float) -> bool:
        if self.equal is None:
            return self.value <= GOOD * trained
        return 100 * (self.value - trained) <= GOOD_POINTS + 1e-9

    def text(self, value: float) -> str:
        """A value of the metric for reading."""
        return number(value) if self.equal is None else f"{accuracy(value):.2f} %"

    def beside(self, trained: MethodResult | None) -> str:
        """The value, and that of trained runs beside it."""
        other = None if trained is None else middle(trained)
        if self.equal is None:
            told = f"median {metric_title(self.metric)} {number(self.value)}"
            if other is not None:
                told += f" is {number(self.value / other) if other else 'inf'} × that of trained runs"
            return told
        told = f"mean {self.metric.partition('.')[0]} accuracy {self.text(self.value)}"
        if trained is None or other is None:
            return told
        gain = accuracy(self.value) - accuracy(other)
        if abs(gain) < 0.005:
            return f"{told} is that of {trained.method} runs"
        return f"{told} is {abs(gain):.2f} points {'above' if gain > 0 else 'below'} that of {trained.method} runs"
