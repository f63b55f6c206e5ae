"""Is what was generated memorised, no better than a simple baseline, or new and good? Said from the numbers alone.

The two questions are those of Zeng et al. 2025, "Generative Modeling of Weights: Generalization or Memorization?".
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from zoogen.evaluation.result import CONVENTIONAL, MethodResult, budget_of
from zoogen.reports.accuracy import BEHAVIOUR, ORIGINALS, SAME_SIMILARITY, accuracies
from zoogen.reports.named_evaluations import GENERATED, TRAINED, NamedEvaluation, median
from zoogen.reports.quality import GOOD, SAME, Quality, middle
from zoogen.reports.table_rows import NOVELTY, number, plain

MEMORISED = 0.2  # nearer to a training checkpoint than this share of the distance between training runs: a copy
# Scales of distances, in order: with a single training run the second one, without held-out runs the third.
BETWEEN_RUNS, OF_HELD_OUT, OF_ONE_RUN = "between training runs", "of held-out runs", "between two originals"
MEASURES = ("matched_train", "nearest_train")  # the first one that was measured counts
_WORDS = {
    "matched_train": "matched distance",
    "nearest_train": "distance",
    BEHAVIOUR.partition(".")[2]: "distance in behaviour",
}
# What is no rival: networks that were trained, and what a codec makes of held-out ones.
_NO_BASELINES = {GENERATED, *CONVENTIONAL, ORIGINALS, "reconstructed"}
UNTRAINED = "untrained"
_RIVALLED: "Kind" = "no better than a baseline"

__all__ = ["GOOD", "MEMORISED", "SAME", "Nearness", "Verdict", "verdict"]

Kind = Literal[
    "memorised",
    "no better than a baseline",
    "new, but worse than trained",
    "new and good",
    "worse than trained",
    "as good as trained",
    "better than the baselines",
    "not compared",
]


@dataclass(frozen=True)
class Nearness:
    """How near generated networks are to training checkpoints.

    Attributes:
        measure: the distance, one of MEASURES, or `behaviour_train`.
        distance: median over the generated networks, of behaviour the mean.
        scale: positive distance to compare with; `scale_of` names it.
    """

    measure: str
    distance: float
    scale: float
    scale_of: str

    @property
    def share(self) -> float:
        return self.distance / self.scale

    def text(self, write: Callable[[float], str]) -> str:
        words = f"{_WORDS[self.measure]} to the nearest checkpoint"
        return f"{words} {write(self.distance)}, {write(self.share)} × the {write(self.scale)} {self.scale_of}"


@dataclass(frozen=True)
class Verdict:
    """What the numbers of one structure say of the generated networks.

    Attributes:
        kind: the last four say nothing of novelty, where there is nothing to be near to (unseen structures); the
            last two stand where there are no trained runs, and no baselines either, to compare with.
        reason: the numbers.
        rivals: baselines that are as good at no smaller novelty.
    """

    label: str
    kind: Kind
    reason: str
    rivals: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        return f"{self.label}: {self.kind}: {self.reason}"

    @property
    def words(self) -> str:
        """The kind for a narrow column, with the rival by name: the best one, or `untrained`, which says most."""
        if self.kind != _RIVALLED:
            return self.kind
        return f"as bad as {UNTRAINED}" if UNTRAINED in self.rivals else f"no better than {self.rivals[0]}"


def verdict(judged: NamedEvaluation, structure: str) -> Verdict | None:
    """The verdict on a structure; None if nothing was generated for it."""
    generated = judged.generated(structure)
    if generated is None:
        return None
    results, trained = judged.of(structure), judged.trained(structure)
    quality, near = Quality.of(generated), _nearness(generated, results)
    label, write = generated.label, plain if generated.ranks_by_error else number
    reached = quality.beside(trained) + _similarity(generated, results)
    distance = near.text(write) + _between_originals(near, results, write) if near is not None else ""
    if near is not None and near.share < MEMORISED:
        return Verdict(label, "memorised", f"{distance}; {reached}")
    alike = _nearness_in_behaviour(generated, trained)
    if alike is not None and alike.share < MEMORISED:
        return Verdict(label, "memorised", "; ".join(filter(None, (alike.text(write), reached, distance))))
    novel = f"; {distance}" if distance else ""
    baselines = baselines_of(results, judged.evaluation.inputs.others)
    rivals = [r for r in baselines if quality.reached_by(middle(r)) and _as_new(r, generated, near)]
    rivals.sort(key=middle)
    if rivals:
        shown = ", ".join(f"{r.method} {quality.text(middle(r))}" for r in rivals)
        reason = f"{reached}, against {shown}{novel}"
        return Verdict(label, _RIVALLED, reason, tuple(r.method for r in rivals))
    if trained is None:
        kind: Kind = "better than the baselines" if baselines else "not compared"
        others = "no trained runs" if baselines else "neither baselines nor trained runs"
        return Verdict(label, kind, f"{reached}; {others} to compare with{novel}")
    if not quality.as_good_as_trained(middle(trained)):
        return Verdict(label, "new, but worse than trained" if near else "worse than trained", reached + novel)
    return Verdict(label, "new and good" if near else "as good as trained", reached + novel)


def baselines_of(results: Sequence[MethodResult], others: Collection[str] = ()) -> list[MethodResult]:
    """Methods that need no generator, neither the study's nor one of its `others`; untrained networks are one."""
    found = (result for result in results if result.method not in _NO_BASELINES and result.method not in others)
    return [result for result in found if budget_of(result.method) is None]


def _nearness(generated: MethodResult, results: Sequence[MethodResult]) -> Nearness | None:
    """By the first measure that has a scale: the distance between training checkpoints of different runs; with a
    single training run that of held-out runs to the training checkpoints, or else the median one between two of
    these. None if there is none."""
    held_out = next((r for r in results if r.method in TRAINED), None)
    for measure in MEASURES:
        distance = median(generated, f"{NOVELTY}.{measure}")
        if distance is None:
            continue
        between = generated.floors.get(NOVELTY, {}).get("train_train", {}).get(measure)
        if between:
            return Nearness(measure, distance, between, BETWEEN_RUNS)
        beside = median(held_out, f"{NOVELTY}.{measure}") if between is None else None
        if beside:
            return Nearness(measure, distance, beside, OF_HELD_OUT)
        apart = _apart(results) if between is None and held_out is None else None
        if apart:
            return Nearness(measure, distance, apart, OF_ONE_RUN)
    return None


def _nearness_in_behaviour(generated: MethodResult, trained: MethodResult | None) -> Nearness | None:
    """The same of wrong answers, where networks rank by them: p-diff's measure of novelty. Means, since medians of
    few wrong answers are often 0."""
    own = _mean_similarity(generated)
    if own is None:
        return None
    measure = BEHAVIOUR.partition(".")[2]
    between = generated.floors.get(NOVELTY, {}).get("train_train", {}).get(measure)
    if between:
        return Nearness(measure, 1 - own, between, BETWEEN_RUNS)
    others = _mean_similarity(trained)
    return Nearness(measure, 1 - own, 1 - others, OF_HELD_OUT) if others is not None and others < 1 else None


def _between_originals(near: Nearness, results: Sequence[MethodResult], write: Callable[[float], str]) -> str:
    """How far the training checkpoints lie from each other, those of one run included, where that was measured."""
    originals = next((r for r in results if r.method == ORIGINALS), None)
    nearest, apart = median(originals, f"{NOVELTY}.{near.measure}"), _apart(results)
    if nearest is None:
        return ""
    two = f", {write(apart)} between any two" if apart and near.scale_of == OF_HELD_OUT else ""
    return f" (originals: {write(nearest)} to the nearest other one{two})"


def _apart(results: Sequence[MethodResult]) -> float | None:
    """Median distance between two training checkpoints. Within a run hidden units keep their places, so that there is
    nothing to match."""
    originals = next((r for r in results if r.method == ORIGINALS), None)
    return originals.figures.get("diversity.weights") if originals is not None else None


def _similarity(generated: MethodResult, results: Sequence[MethodResult]) -> str:
    """Similarity to the originals, and that of originals and trained runs, for networks that rank by an error."""
    own = _mean_similarity(generated)
    if own is None:
        return ""
    methods = {ORIGINALS: "originals to each other", **{name: f"{name} runs" for name in TRAINED}}
    found = {methods[r.method]: _mean_similarity(r) for r in results if r.method in methods}
    shown = ", ".join(f"{name} {plain(value)}" for name, value in found.items() if value is not None)
    return f", mean similarity to the originals {plain(own)}" + (f" ({shown})" if shown else "")


def _mean_similarity(result: MethodResult | None) -> float | None:
    return accuracies(result).mean_similarity if result is not None and result.ranks_by_error else None


def _as_new(rival: MethodResult, generated: MethodResult, near: Nearness | None) -> bool:
    """Whether a baseline is no nearer to the training checkpoints, by wrong answers where networks rank by them; it is
    where nothing was measured."""
    own, others = _mean_similarity(generated), _mean_similarity(rival)
    if own is not None:
        return others is not None and others <= own + SAME_SIMILARITY
    if near is None:
        return True
    theirs, ours = (median(result, f"{NOVELTY}.{near.measure}") for result in (rival, generated))
    return theirs is not None and ours is not None and theirs >= ours
