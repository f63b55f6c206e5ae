"""Rows of the report: one per structure and method, and one per floor of a sampled protocol.

All writers (terminal, Markdown, CSV) use these rows, so that they cannot disagree.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from zoogen.evaluation.equivalence import EquivalentIterations
from zoogen.evaluation.records import Summary, summarise
from zoogen.evaluation.result import Evaluation, MethodResult

NOVELTY = "novelty"
_PER_GROUP = 3  # metrics of a protocol that are worth a column on a terminal


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        kind: `method` for judged networks; `floor` for what a protocol reads for a reference.
        method: name of the method, or of the reference.
        primary: the metric that ranks on this structure.
        statistics: metric to its statistics over the networks.
        against_held_out: median primary metric over that of conventional training (`Evaluation.conventional`), None
            without it.
        training: seconds of training per network; `generating`: seconds for all networks.
        equivalent: iterations of conventional training that reach the median, where budgets were trained.
    """

    structure: str
    label: str
    known: bool
    kind: Literal["method", "floor"]
    method: str
    count: int
    primary: str
    statistics: dict[str, Summary]
    against_held_out: float | None = None
    training: float | None = None
    generating: float | None = None
    equivalent: EquivalentIterations | None = None

    @property
    def main(self) -> Summary | None:
        """Statistics of the primary metric."""
        return self.statistics.get(self.primary)


def report_rows(evaluation: Evaluation) -> list[Row]:
    """Rows by structure, known ones first; floors of each structure after its methods."""
    against_held_out = evaluation.ratios_of_all()
    rows: list[Row] = []
    ordered = sorted(evaluation.results, key=lambda result: not result.known)
    for structure in dict.fromkeys(result.structure for result in ordered):
        results = [result for result in ordered if result.structure == structure]
        for result in results:
            ratio = against_held_out.get((result.structure, result.method))
            rows.append(_method_row(result, ratio))
        rows.extend(_floor_rows(results))
    return rows


def _method_row(result: MethodResult, ratio: float | None) -> Row:
    return Row(
        structure=result.structure,
        label=result.label,
        known=result.known,
        kind="method",
        method=result.method,
        count=result.count,
        primary=result.primary,
        statistics={metric: summarise(values) for metric, values in result.metrics.items()},
        against_held_out=ratio,
        training=result.seconds.training,
        generating=result.seconds.generating,
        equivalent=result.equivalent,
    )


def _floor_rows(results: Sequence[MethodResult]) -> list[Row]:
    """One row per reference, with its reading under every protocol. Floors are the same for all methods."""
    readings: dict[str, dict[str, Summary]] = {}
    owner: dict[str, MethodResult] = {}
    for result in results:
        for group, references in result.floors.items():
            for reference, metrics in references.items():
                found = readings.setdefault(reference, {})
                owner.setdefault(reference, result)
                for metric, value in metrics.items():
                    found.setdefault(f"{group}.{metric}", summarise([value]))
    return [
        Row(
            structure=owner[reference].structure,
            label=owner[reference].label,
            known=owner[reference].known,
            kind="floor",
            method=reference,
            count=1,
            primary=owner[reference].primary,
            statistics=statistics,
        )
        for reference, statistics in readings.items()
    ]


def metric_names(rows: Sequence[Row], short: bool = False) -> list[str]:
    """Metrics of the rows, the primary one first, then its protocol's, then the others, novelty last.

    `short` keeps the first three metrics of each protocol and leaves novelty out.
    """
    seen = dict.fromkeys(metric for row in rows for metric in row.statistics)
    primaries = dict.fromkeys(row.primary for row in rows if row.primary in seen)
    leading = [primary.partition(".")[0] for primary in primaries]
    groups = list(dict.fromkeys([*leading, *(name.partition(".")[0] for name in seen)]))
    groups.sort(key=lambda group: group == NOVELTY)
    names: list[str] = []
    for group in groups:
        of_group = [name for name in seen if name.partition(".")[0] == group]
        of_group.sort(key=lambda name: name not in primaries)
        if short and group == NOVELTY:
            continue
        names.extend(of_group[:_PER_GROUP] if short else of_group)
    return names


def metric_title(name: str) -> str:
    """`exact.js` as `exact JS`: abbreviations in capitals, words as they are."""
    group, _, metric = name.partition(".")
    words = [word.upper() if len(word) <= 2 else word for word in metric.split("_")]
    return f"{group} {' '.join(words)}"


def plain(value: float | None, digits: int = 3) -> str:
    """Significant digits (`0.0041`, `1.2e-5`); a dash for nothing."""
    if value is None or value != value:
        return "–"
    text = f"{value:.{digits}g}"
    if "e" in text:
        mantissa, _, exponent = text.partition("e")
        return f"{mantissa}e{int(exponent)}"
    return text


def number(value: float | None, digits: int = 3) -> str:
    """The same without the leading zero (`.0041`)."""
    text = plain(value, digits)
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def spread(summary: Summary | None, digits: int = 3) -> str:
    """Median and quartiles, `.0041 [.0035–.0052]`."""
    if summary is None or not summary.count:
        return "–"
    median, q25, q75 = (number(value, digits) for value in (summary.median, summary.q25, summary.q75))
    return f"{median} [{q25}–{q75}]"
