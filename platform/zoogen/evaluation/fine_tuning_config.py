"""What fine-tuning compares: the starts, and how long they are trained on."""

from collections.abc import Mapping

from pydantic import Field, ValidationError, field_validator

from zoogen.config import Config
from zoogen.evaluation.config import DEFAULT_FAMILIES, EvaluationConfig, Family
from zoogen.shown import shown

SCRATCH = "untrained"  # the start that the others save against
# Families whose methods carry a number, such as average-5
_NUMBERED: Mapping[Family, type[int] | type[float]] = {"average": int, "noise": float, "kde": float}
_LAST = "held-out-last"
MODEL_FAMILIES: frozenset[Family] = frozenset({"generated", "nearest", "reconstructed", "kde", "prior"})
"""Families that need the generator or its autoencoder."""


class FineTuningConfig(Config):
    """Settings of the fine-tuning.

    Attributes:
        structures: which ones; empty: all of the study.
        starts: methods of the evaluation whose networks are trained on (`average-5`: averages of 5 checkpoints). One
            that a structure does not have, such as averages on an unseen one, is left out with a notice.
        count: networks per start.
        iterations: gradient steps of every network; the learning rate's schedule runs over them.
        learning_rate: of every network, whatever it starts from; null: that of the task's training. Starts that are
            nearly trained gain less from a large one than those that are not.
        points: checkpoints, spaced evenly in the logarithm of the iteration; the first is 1, the last the end.
        factors: the levels to reach, as multiples of conventional training's median.
        seed: seed of the starts and of the training.
    """

    structures: tuple[str, ...] = ()
    starts: tuple[str, ...] = ("generated", "nearest", "average-5", "random", SCRATCH)
    count: int = Field(default=8, ge=1)
    iterations: int = Field(default=4_000, ge=1)
    learning_rate: float | None = Field(default=None, gt=0, exclude_if=lambda value: value is None)
    points: int = Field(default=12, ge=2)
    factors: tuple[float, ...] = (1.0, 1.1)
    seed: int = Field(default=0, ge=0)

    @field_validator("starts")
    @classmethod
    def _known_starts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("name at least one start, for example generated")
        return tuple(dict.fromkeys(map(_method_name, value)))

    @field_validator("factors")
    @classmethod
    def _positive(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if any(factor <= 0 for factor in value):
            raise ValueError("factors must be greater than 0")
        return tuple(sorted(set(value)))

    @property
    def steps(self) -> tuple[int, ...]:
        """Iterations after which networks are judged, ascending and distinct."""
        import numpy as np  # configurations are read without it

        return tuple(sorted({round(step) for step in np.geomspace(1, self.iterations, self.points).tolist()}))

    @property
    def families(self) -> tuple[Family, ...]:
        """The families of methods that the starts belong to."""
        return _methods(self.starts).methods

    def evaluation(self, structures: tuple[str, ...]) -> EvaluationConfig:
        """Settings by which the evaluation's methods make the starts on these structures."""
        own = {"count": self.count, "seed": self.seed, "structures": structures}
        return _methods(self.starts).model_copy(update=own)


def _methods(starts: tuple[str, ...]) -> EvaluationConfig:
    """The evaluation's settings whose methods are these starts.

    Raises:
        ValueError: there is no such start, or its number is out of range.
    """
    parsed = [_parse_start(start) for start in starts]
    families = tuple(dict.fromkeys(family for family, _ in parsed))
    numbers = {family: tuple(n for f, n in parsed if f == family and n is not None) for family in _NUMBERED}
    return EvaluationConfig(
        methods=families,
        unseen_methods=families,
        average_k=tuple(round(k) for k in numbers["average"]),
        noise=numbers["noise"],
        kde=numbers["kde"],
    )


def _method_name(start: str) -> str:
    """The name that the evaluation gives to a start: `noise-0.010` is noise-0.01.

    Raises:
        ValueError: there is no such start, or its number is out of range.
    """
    family, number = _parse_start(start)
    try:
        _methods((start,))
    except ValidationError as error:
        raise ValueError(f"start {shown(start)}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None
    if number is None:
        return start
    return f"{family}-{number}" if isinstance(number, int) else f"{family}-{number:g}"


def _parse_start(start: str) -> tuple[Family, int | float | None]:
    """Family and number of a start: `average-5` is ("average", 5).

    Raises:
        ValueError: there is no such start.
    """
    for family in DEFAULT_FAMILIES:
        if start == family and family not in _NUMBERED:
            return family, None
        if family in _NUMBERED and start.startswith(f"{family}-"):
            try:
                return family, _NUMBERED[family](start.removeprefix(f"{family}-"))
            except ValueError:
                break
    if start == _LAST:
        return "held-out", None
    forms = {family: f"{family}-{'INTEGER' if kind is int else 'NUMBER'}" for family, kind in _NUMBERED.items()}
    known = ", ".join(forms.get(family, family) for family in DEFAULT_FAMILIES)
    raise ValueError(f"there is no start {shown(start)}; known are {known}")
