"""Iterations saved: how much sooner training on from given networks is as good as trained ones than from scratch."""

import math

from zoogen.evaluation.fine_tuning_config import SCRATCH
from zoogen.evaluation.fine_tuning_result import FineTuning, StructureCurves, steps_to_level
from zoogen.evaluation.records import Record

WITHIN = 1.05  # of the median of trained networks: as good as these


class IterationsSaved(Record):
    """Iterations by which half of the networks are within 5 % of trained ones; infinite where fewer get there.

    Attributes:
        needed: from the start in question.
        scratch: from scratch, in the same cohort; None without such a start, and of that start itself.
        limit: iterations that were trained.
        trained: iterations of the trained runs themselves, 0 if unknown.
    """

    needed: float
    scratch: float | None
    limit: int
    trained: int = 0

    @property
    def saved(self) -> float | None:
        """Iterations saved against training from scratch; where that does not get there, those up to the end, which are
        too few (`is_bound`). None where the start does not get there, or there is nothing to compare with."""
        if self.scratch is None or math.isinf(self.needed):
            return None
        return min(self.scratch, self.limit) - self.needed

    @property
    def is_bound(self) -> bool:
        """Whether `saved` counts from the end of a training from scratch that does not get there."""
        return self.scratch == math.inf

    @property
    def share_of_training(self) -> float | None:
        """The iterations needed over those of the trained runs."""
        return self.needed / self.trained if self.trained and math.isfinite(self.needed) else None


def iterations_saved(curves: StructureCurves, start: str) -> IterationsSaved | None:
    """What a start saves on one structure; None without trained runs to compare with.

    Raises:
        ZoogenError: there is no such start.
    """
    if curves.level is None:
        return None
    level = WITHIN * curves.level
    compared = start != SCRATCH and curves.curve(SCRATCH) is not None
    scratch = steps_to_level(curves, level, SCRATCH).half if compared else None
    needed = steps_to_level(curves, level, start).half
    return IterationsSaved(needed=needed, scratch=scratch, limit=curves.steps[-1], trained=curves.level_steps)


def saved_metrics(result: FineTuning) -> dict[str, float]:
    """`<label>/<start>/iterations_to_trained` and `…/iterations_saved` (a lower bound where `is_bound`), where half of
    the networks get within 5 %."""
    metrics = {}
    for curves in result.results:
        for start in (curve.start for curve in curves.curves):
            found = iterations_saved(curves, start)
            if found is not None and math.isfinite(found.needed):
                metrics[f"{curves.label}/{start}/iterations_to_trained"] = found.needed
            if found is not None and found.saved is not None:
                metrics[f"{curves.label}/{start}/iterations_saved"] = found.saved
    return metrics
