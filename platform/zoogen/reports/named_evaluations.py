"""What tables and figures over several evaluations need to know of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoogen.evaluation.result import Evaluation, MethodResult
from zoogen.reports.published.numbers import Published, published_for, short_label
from zoogen.reports.table_rows import metric_names, report_rows

GENERATED = "generated"
TRAINED = ("held-out", "reference")  # conventionally trained runs that nothing was learnt from


@dataclass(frozen=True)
class Origin:
    """By what something can be made again: the command, and the resolved configuration behind it."""

    command: str
    configuration: Mapping[str, Any]


@dataclass(frozen=True)
class NamedEvaluation:
    """An evaluation under the name that it has in tables beside others, and where it came from, if that is known."""

    name: str
    evaluation: Evaluation
    origin: Origin | None = None

    @property
    def published(self) -> Published | None:
        """Numbers of a paper on the same kind of task."""
        return published_for(str(self.evaluation.task.get("kind", "")))

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics worth a table: those that a paper has, or else the first of each protocol."""
        names = metric_names(report_rows(self.evaluation), short=True)
        published = self.published
        return tuple(name for name in published.metrics if name in names) if published else tuple(names)

    def of(self, structure: str) -> list[MethodResult]:
        """All results on a structure."""
        return [result for result in self.evaluation.results if result.structure == structure]

    def generated(self, structure: str) -> MethodResult | None:
        return self.evaluation.result(structure, GENERATED)

    def trained(self, structure: str) -> MethodResult | None:
        """What conventional training reaches: last checkpoints (`Evaluation.conventional`)."""
        return self.evaluation.conventional(structure)


@dataclass(frozen=True)
class Place:
    """A structure of one or several evaluations."""

    structure: str
    label: str
    known: bool


def places(evaluations: Sequence[NamedEvaluation]) -> list[Place]:
    """Structures of all evaluations, those known to the first one that has them before the unseen ones."""
    found: dict[str, Place] = {}
    for judged in evaluations:
        for result in judged.evaluation.results:
            found.setdefault(result.structure, Place(result.structure, result.label, result.known))
    return sorted(found.values(), key=lambda place: not place.known)


def median(result: MethodResult | None, metric: str | None = None) -> float | None:
    """Median of a metric over the networks, of the ranking one by default; None if it was not measured."""
    if result is None:
        return None
    name = metric or result.primary
    if name not in result.metrics:
        return None
    summary = result.summary(name)
    return summary.median if summary.count else None


def chosen_value(result: MethodResult, metric: str) -> float | None:
    """A metric of the network that was chosen.

    None where none was, and where the choice looked at the same protocol's data: the smallest of K readings of the
    same samples is not what further samples would give.
    """
    if result.selection is None or metric not in result.metrics or _group(metric) == _group(result.selection.by):
        return None
    return result.metrics[metric][result.selection.index]


def _group(metric: str) -> str:
    return metric.partition(".")[0]


def named(label: str, structure: str, between: str = " ") -> str:
    """A structure's short name with its canonical one behind it, unless they are the same."""
    return label if label.lower() == structure.lower() else f"{label}{between}({structure})"


def file_label(label: str) -> str:
    """A structure's short name for a file: `Cstar` of `C* 12^3`."""
    name = short_label(label).replace("*", "star")
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in name)
