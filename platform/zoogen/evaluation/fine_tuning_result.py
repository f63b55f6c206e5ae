"""The result of fine-tuning: curves of several starts at equal compute."""

import math
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from zoogen.errors import ZoogenError
from zoogen.evaluation.fine_tuning_config import SCRATCH, FineTuningConfig
from zoogen.evaluation.records import Record, Summary, record_bytes, summarise
from zoogen.evaluation.result import Environment, Inputs
from zoogen.shown import shown

R = TypeVar("R", bound=Record)


class StartCurve(Record):
    """Fine-tuning of one start's networks; K networks, C checkpoints.

    Attributes:
        start: name of the method that made the networks.
        values: primary metric before the first iteration and at each checkpoint, [C + 1][K]; infinite for networks
            that are not finite.
        reward: mean reward of the trajectories since the checkpoint before, [C][K]; empty if the task does not tell.
        states_visited: visited so far, repetitions included, [C][K]; empty if the task does not tell.
        training: seconds of conventional training behind each of the networks, None if there was none.
        generating: seconds that making the networks took, None if they were read.
        seconds: of the fine-tuning, the share of these networks.
        notices: one-line remarks.
    """

    start: str
    values: tuple[tuple[float, ...], ...]
    reward: tuple[tuple[float, ...], ...] = ()
    states_visited: tuple[tuple[float, ...], ...] = ()
    training: float | None = None
    generating: float | None = None
    seconds: float
    notices: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        return len(self.values[0])

    def summaries(self) -> list[Summary]:
        """Statistics of the primary metric before training and at each checkpoint."""
        return [summarise(point) for point in self.values]


class StructureCurves(Record):
    """All starts of one structure, trained together with equal seeds, batches and iterations.

    Attributes:
        structure: canonical name; `label` is its short form.
        known: whether the zoo holds it.
        primary: the metric that is followed (lower is better).
        steps: iterations of the checkpoints, [C].
        level: median of the primary metric over conventionally trained runs, None without such runs.
        expected_reward: mean reward of a perfect sampler, None if the task does not tell. More is no better.
        level_of: which runs: `held-out` or `reference`; `level_runs` is their number, `level_steps` the
            iterations that they were trained for (0 if unknown).
        curves: one per start, in the order of the configuration.
        seconds: `making` the starts, `training` and `judging` them.
        notices: one-line remarks.
    """

    structure: str
    label: str
    known: bool
    primary: str
    steps: tuple[int, ...]
    level: float | None = None
    expected_reward: float | None = None
    level_of: Literal["", "held-out", "reference"] = ""
    level_runs: int = 0
    level_steps: int = 0
    curves: tuple[StartCurve, ...]
    seconds: dict[str, float] = {}
    notices: tuple[str, ...] = ()

    def curve(self, start: str) -> StartCurve | None:
        return next((curve for curve in self.curves if curve.start == start), None)

    def levels(self, factors: tuple[float, ...]) -> dict[str, float]:
        """Named levels to reach: multiples of conventional training's, and where training from scratch ends."""
        found = {} if self.level is None else {f"trained x{factor:g}": factor * self.level for factor in factors}
        scratch = self.curve(SCRATCH)
        if scratch is not None:
            found["scratch's end"] = scratch.summaries()[-1].median
        return found

    def steps_to(self, level: float, start: str) -> tuple[int | None, ...]:
        """For each network of a start the first judged iteration at or below the level, 0 if it starts there, None if
        it never gets there.

        Raises:
            ZoogenError: there is no such start.
        """
        curve = self.curve(start)
        if curve is None:
            raise ZoogenError(f"{self.label} was not fine-tuned from {shown(start)}; there are {_names(self.curves)}")
        points = (0, *self.steps)
        return tuple(
            next((step for step, value in zip(points, values, strict=True) if value <= level), None)
            for values in zip(*curve.values, strict=True)
        )


def _names(curves: tuple[StartCurve, ...]) -> str:
    return ", ".join(curve.start for curve in curves)


class StepsToLevel(Record):
    """How soon a start's networks reach a level.

    Attributes:
        reached: share of the networks that reach it.
        half: iterations by which half of the networks have reached it, infinite where fewer do.
        saving: share of these iterations that this start saves against training from scratch; None where training from
            scratch does not reach the level, or at once.
    """

    reached: float
    half: float
    saving: float | None = None


def steps_to_level(curves: StructureCurves, level: float, start: str) -> StepsToLevel:
    """Statistics of `StructureCurves.steps_to`, against training from scratch."""

    def needed(of: str) -> list[float]:
        return sorted(math.inf if step is None else float(step) for step in curves.steps_to(level, of))

    def half_of(steps: list[float]) -> float:
        return steps[(len(steps) - 1) // 2]

    steps, saving = needed(start), None
    half = half_of(steps)
    if curves.curve(SCRATCH) is not None and start != SCRATCH:
        scratch = half_of(needed(SCRATCH))
        if 0 < scratch < math.inf and half < math.inf:
            saving = 1 - half / scratch
    return StepsToLevel(reached=sum(step < math.inf for step in steps) / len(steps), half=half, saving=saving)


class FineTuning(Record):
    """Curves of all structures, and what is needed to read or repeat them."""

    inputs: Inputs
    task: dict[str, Any]
    config: FineTuningConfig
    results: tuple[StructureCurves, ...]
    environment: Environment

    def result(self, structure: str) -> StructureCurves | None:
        """The curves of a structure (canonical name or label), None if there are none."""
        return next((r for r in self.results if structure in (r.structure, r.label)), None)

    def medians(self) -> Mapping[str, float]:
        """`<label>/<start>/…` to `before`, `after` (median primary metric), `reached …` and `steps_to …` each level,
        finite numbers alone."""
        found: dict[str, float] = {}
        for result in self.results:
            for curve in result.curves:
                place, summaries = f"{result.label}/{curve.start}", curve.summaries()
                found[f"{place}/before"], found[f"{place}/after"] = summaries[0].median, summaries[-1].median
                for name, level in result.levels(self.config.factors).items():
                    needed = steps_to_level(result, level, curve.start)
                    found[f"{place}/reached {name}"] = needed.reached
                    found[f"{place}/steps_to {name}"] = needed.half
        return {name: value for name, value in found.items() if math.isfinite(value)}

    def to_json(self) -> str:
        """Sealed (`record_bytes`)."""
        return record_bytes(self).decode()
