"""When one value of a ranking metric is as good as another: by ratio, or, for errors, by points of accuracy.

Ratios of errors say nothing near 0: one image in a thousand against none is infinitely worse.
"""

from dataclasses import dataclass

from zoogen.evaluation.result import MethodResult
from zoogen.reports.accuracy import accuracy, one_image
from zoogen.reports.rows import metric_title, number

GOOD = 2.0  # at most so many times the trained runs' median: the spread between seeds is of this size
SAME = 1.05  # medians this close count as equal
GOOD_POINTS = 2.0  # points of accuracy below the trained runs that still count as good (98 % of 100 %)
SAME_POINTS = 0.1  # points that count as equal, or one image where that is more


@dataclass(frozen=True)
class Quality:
    """The median of a method's ranking metric, lower is better, and how it compares with others'.

    Attributes:
        metric: its name.
        value: infinite where there is none.
        image: what one image is worth in points of accuracy, where the metric is an error; None for other metrics.
    """

    metric: str
    value: float
    image: float | None = None

    @classmethod
    def of(cls, result: MethodResult, value: float) -> "Quality":
        return cls(result.primary, value, one_image(result) if result.ranks_by_error else None)

    def reached_by(self, rival: float) -> bool:
        """Whether another median is as good."""
        if self.image is None:
            return rival <= SAME * self.value
        return 100 * (rival - self.value) <= max(SAME_POINTS, self.image) + 1e-9

    def as_good_as_trained(self, trained: float) -> bool:
        if self.image is None:
            return self.value <= GOOD * trained
        return 100 * (self.value - trained) <= GOOD_POINTS + 1e-9

    def text(self, value: float) -> str:
        """A value of the metric for reading."""
        return number(value) if self.image is None else f"{accuracy(value):.2f} %"

    def beside(self, trained: float | None) -> str:
        """The median, and that of the trained runs beside it."""
        if self.image is None:
            told = f"median {metric_title(self.metric)} {number(self.value)}"
            if trained is not None:
                told += f" is {number(self.value / trained) if trained else 'inf'} × that of trained runs"
            return told
        told = f"median {self.metric.partition('.')[0]} accuracy {self.text(self.value)}"
        if trained is None:
            return told
        gain = accuracy(self.value) - accuracy(trained)
        if abs(gain) < 0.005:
            return f"{told} is that of trained runs"
        return f"{told} is {abs(gain):.2f} points {'above' if gain > 0 else 'below'} that of trained runs"
