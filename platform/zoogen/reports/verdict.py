"""Is what was generated memorised, no better than a simple baseline, or new and good? Said from the numbers alone.

The two questions are those of Zeng et al. 2025, "Generative Modeling of Weights: Generalization or Memorization?".
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from zoogen.evaluation.result import MethodResult
from zoogen.reports.accuracy import BEHAVIOUR, ORIGINALS, accuracies
from zoogen.reports.quality import GOOD, SAME, Quality
from zoogen.reports.rows import NOVELTY, number
from zoogen.reports.runs import GENERATED, TRAINED, Run, median

MEMORISED = 0.2  # nearer to a training checkpoint than this share of the distance between training runs: a copy
BETWEEN_RUNS, OF_HELD_OUT = "between training runs", "of held-out runs"  # scales of distances
MEASURES = ("matched_train", "nearest_train")  # the first one that was measured counts
# What is no rival: networks that were trained, and what a codec makes of held-out ones.
_NO_BASELINES = {GENERATED, *TRAINED, "held-out-last", ORIGINALS, "reconstructed"}

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
        measure: the distance, one of MEASURES.
        distance: median over the generated networks.
        scale: positive distance to compare with; `scale_of` names it.
    """

    measure: str
    distance: float
    scale: float
    scale_of: str

    @property
    def share(self) -> float:
        return self.distance / self.scale

    @property
    def text(self) -> str:
        words = {"matched_train": "matched distance", "nearest_train": "distance"}[self.measure]
        return (
            f"{words} to the nearest checkpoint {number(self.distance)}, {number(self.share)} × "
            f"the {number(self.scale)} {self.scale_of}"
        )


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


def verdict(run: Run, structure: str) -> Verdict | None:
    """The verdict on a structure; None if nothing was generated for it."""
    generated = run.generated(structure)
    if generated is None:
        return None
    results = run.of(structure)
    quality = Quality.of(generated, _quality(generated))
    near = _nearness(generated, results)
    label, trained = generated.label, median(run.trained(structure), generated.primary)
    reached = quality.beside(trained) + _similarity(generated, results)
    distance = near.text + _between_originals(near, results) if near is not None else ""
    if near is not None and near.share < MEMORISED:
        return Verdict(label, "memorised", f"{distance}; {reached}")
    novel = f"; {distance}" if distance else ""
    baselines = [r for r in results if r.method not in _NO_BASELINES]
    measure = _measure_of_rivals(generated, near)
    rivals = [r for r in baselines if quality.reached_by(_quality(r)) and _as_new(r, generated, measure)]
    if rivals:
        shown = ", ".join(f"{r.method} {quality.text(_quality(r))}" for r in sorted(rivals, key=_quality))
        reason = f"{reached}, against {shown}{novel}"
        return Verdict(label, "no better than a baseline", reason, tuple(r.method for r in rivals))
    if trained is None:
        kind: Kind = "better than the baselines" if baselines else "not compared"
        others = "no trained runs" if baselines else "neither baselines nor trained runs"
        return Verdict(label, kind, f"{reached}; {others} to compare with{novel}")
    if not quality.as_good_as_trained(trained):
        return Verdict(label, "new, but worse than trained" if near else "worse than trained", reached + novel)
    return Verdict(label, "new and good" if near else "as good as trained", reached + novel)


def _quality(result: MethodResult) -> float:
    """Median of the ranking metric, infinite if there is none."""
    value = median(result)
    return math.inf if value is None else value


def _nearness(generated: MethodResult, results: Sequence[MethodResult]) -> Nearness | None:
    """By the first measure that has a scale: the distance between training checkpoints of different runs, or, with a
    single training run, that of held-out runs to the training checkpoints. None if there is neither."""
    for measure in MEASURES:
        distance = median(generated, f"{NOVELTY}.{measure}")
        if distance is None:
            continue
        between = generated.floors.get(NOVELTY, {}).get("train_train", {}).get(measure)
        if between:
            return Nearness(measure, distance, between, BETWEEN_RUNS)
        held_out = next((r for r in results if r.method in TRAINED), None)
        beside = median(held_out, f"{NOVELTY}.{measure}") if between is None else None
        if beside:
            return Nearness(measure, distance, beside, OF_HELD_OUT)
    return None


def _between_originals(near: Nearness, results: Sequence[MethodResult]) -> str:
    """How near each training checkpoint is to the others, those of its own run among them, where that was measured."""
    originals = next((r for r in results if r.method == ORIGINALS), None)
    distance = median(originals, f"{NOVELTY}.{near.measure}")
    return f" (originals to each other, within runs too, {number(distance)})" if distance is not None else ""


def _similarity(generated: MethodResult, results: Sequence[MethodResult]) -> str:
    """Similarity to the originals, and of these to each other, for networks that rank by an error."""
    if not generated.ranks_by_error or (own := accuracies(generated).mean_similarity) is None:
        return ""
    originals = next((r for r in results if r.method == ORIGINALS), None)
    others = accuracies(originals).mean_similarity if originals is not None else None
    beside = f" (originals to each other {number(others)})" if others is not None else ""
    return f", mean similarity to the originals {number(own)}{beside}"


def _measure_of_rivals(generated: MethodResult, near: Nearness | None) -> str | None:
    """The distance by which a baseline is as new: what wrong answers say, where networks rank by them."""
    if generated.ranks_by_error and median(generated, BEHAVIOUR) is not None:
        return BEHAVIOUR
    return f"{NOVELTY}.{near.measure}" if near is not None else None


def _as_new(rival: MethodResult, generated: MethodResult, measure: str | None) -> bool:
    """Whether a baseline is no nearer to the training checkpoints; it is where nothing was measured."""
    if measure is None:
        return True
    theirs, ours = median(rival, measure), median(generated, measure)
    return theirs is not None and ours is not None and theirs >= ours
