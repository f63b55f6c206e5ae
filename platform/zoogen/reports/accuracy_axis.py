"""The axis of accuracies in a figure: the networks that matter in view, far worse ones counted beside it."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from zoogen.evaluation.result import MethodResult
from zoogen.reports.accuracy import ORIGINALS, accuracy, method_title
from zoogen.reports.named_evaluations import GENERATED, TRAINED

_MARGIN = 0.1  # of the spread of what is compared, around it
_PER_LINE = 4  # methods in a line of the remark
_MAIN = (ORIGINALS, GENERATED, *TRAINED)


def accuracies_of(result: MethodResult) -> list[float]:
    """Accuracy of each network in %, 0 for those that are not finite."""
    return [accuracy(error) for error in result.metrics[result.primary]]


def show_accuracies(ax: Axes, values: Mapping[str, Sequence[float]]) -> None:
    """Limit the y axis: from somewhat below the worst original, trained or generated network to the best of all.

    How many networks of the other methods lie below is written under the panel.

    Args:
        ax: the panel.
        values: method to its accuracies in %.
    """
    main = [y for method in _MAIN for y in values.get(method, ())] or [y for ys in values.values() for y in ys]
    low, high = min(main), max(y for ys in values.values() for y in ys)
    spread = max(high - low, 0.5)
    low = max(low - _MARGIN * spread, -1.0)
    ax.set_ylim(low, min(high + _MARGIN * spread, 101.0))
    below = {method: sum(y < low for y in ys) for method, ys in values.items()}
    hidden = [f"{method_title(method)} {count}" for method, count in below.items() if count]
    if hidden:
        lines = [", ".join(hidden[i : i + _PER_LINE]) for i in range(0, len(hidden), _PER_LINE)]
        ax.set_xlabel("networks below: " + ",\n".join(lines), fontsize=7, color="#555555")
