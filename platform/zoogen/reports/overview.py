"""How generated networks stand on each structure, in one line: beside trained ones, the best baseline and untrained
networks, with the verdict in words."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from zoogen.evaluation.result import MethodResult
from zoogen.reports.accuracy import accuracies
from zoogen.reports.named_evaluations import NamedEvaluation, Place, median, places
from zoogen.reports.quality import middle
from zoogen.reports.sheets import EVALUATION, STRUCTURE, Sheet, SheetRow
from zoogen.reports.table_rows import metric_title, number
from zoogen.reports.verdict import UNTRAINED, Verdict, baselines_of, verdict

_ACCURACY = "mean {group} accuracy in %"
_RANKING = "ranking metric"  # where structures rank by different ones
_RIVALS = "best baseline: by the metric alone; a verdict's rivals are also as new as what was generated"


@dataclass(frozen=True)
class Standing:
    """One structure of one evaluation.

    Attributes:
        generated, trained, baseline, untrained: median of the ranking metric, mean accuracy in % where that is an
            error; None where there is none.
        baseline_method: whose the value of the best baseline is, untrained networks left out.
        metric: what the values are.
    """

    evaluation: NamedEvaluation
    place: Place
    said: Verdict
    metric: str
    errors: bool
    generated: float | None
    trained: float | None
    baseline: float | None
    baseline_method: str
    untrained: float | None

    def text(self, value: float | None) -> str:
        """A value for reading."""
        return f"{value:.2f}" if self.errors and value is not None else number(value)


def standings(evaluations: Sequence[NamedEvaluation]) -> list[Standing]:
    """Every structure for which something was generated, known ones first, evaluations of a structure together."""
    cases = [(evaluation, place) for place in places(evaluations) for evaluation in evaluations]
    found = (_standing(evaluation, place) for evaluation, place in cases)
    return [standing for standing in found if standing is not None]


def _standing(evaluation: NamedEvaluation, place: Place) -> Standing | None:
    said, generated = verdict(evaluation, place.structure), evaluation.generated(place.structure)
    if said is None or generated is None:
        return None
    results = evaluation.of(place.structure)
    rivals = [r for r in baselines_of(results, evaluation.evaluation.inputs.others) if r.method != UNTRAINED]
    best = min(rivals, key=middle, default=None)
    metric = generated.primary
    group = metric.partition(".")[0]
    return Standing(
        evaluation=evaluation,
        place=place,
        said=said,
        metric=_ACCURACY.format(group=group) if generated.ranks_by_error else f"median {metric_title(metric)}",
        errors=generated.ranks_by_error,
        generated=_value(generated),
        trained=_value(evaluation.trained(place.structure)),
        baseline=_value(best),
        baseline_method=best.method if best is not None else "",
        untrained=_value(evaluation.evaluation.result(place.structure, UNTRAINED)),
    )


def _value(result: MethodResult | None) -> float | None:
    if result is None:
        return None
    return accuracies(result).mean if result.ranks_by_error else median(result)


def ranking(found: Sequence[Standing]) -> str:
    """What the values of all lines are."""
    metrics = list(dict.fromkeys(standing.metric for standing in found))
    if len(metrics) != 1:
        return _RANKING
    return metrics[0] if found[0].errors else f"{metrics[0]}, lower is better"


def rival_remarks(found: Sequence[Standing]) -> tuple[str, ...]:
    """Why a verdict may name another baseline than the best one."""
    return (_RIVALS,) if any(s.said.rivals and s.baseline_method not in s.said.rivals for s in found) else ()


def has_metrics(found: Sequence[Standing]) -> bool:
    """Whether lines have different metrics, so that each has to name its own."""
    return len({standing.metric for standing in found}) > 1


def tally(found: Sequence[Standing]) -> str:
    """How often each verdict was given, the most frequent first."""
    counts = Counter(standing.said.words for standing in found)
    return ", ".join(f"{count} {words}" for words, count in counts.most_common())


def overview_sheet(evaluations: Sequence[NamedEvaluation]) -> Sheet:
    """The lines as a table with all digits."""
    found = standings(evaluations)
    mixed = has_metrics(found)
    rows = [
        SheetRow(
            (s.place.label, "known" if s.place.known else "unseen", s.evaluation.name, s.said.words),
            (s.generated, s.trained, s.baseline, s.baseline_method or None, s.untrained, s.metric if mixed else None),
        )
        for s in found
    ]
    columns = ("generated", "trained", "best baseline", "its method", UNTRAINED, "metric")
    errors = bool(found) and all(standing.errors for standing in found)
    decimals = dict.fromkeys(columns, 2) if errors else {}
    title = f"Generated networks beside others: {ranking(found)}"
    keys = (STRUCTURE, "zoo", EVALUATION, "verdict")
    return Sheet("overview", title, keys, columns, tuple(rows), rival_remarks(found), decimals).trimmed()
