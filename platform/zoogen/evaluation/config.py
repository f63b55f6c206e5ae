"""What an evaluation compares, and how many networks of each."""

from typing import Literal

from pydantic import Field, field_validator

from zoogen.config import Config

Family = Literal["generated", "held-out", "training", "average", "reconstructed", "random", "untrained", "reference"]

ALL_FAMILIES: tuple[Family, ...] = (
    "generated",
    "held-out",
    "training",
    "average",
    "reconstructed",
    "random",
    "untrained",
    "reference",
)


class EvaluationConfig(Config):
    """Settings of the evaluation.

    Attributes:
        count: networks per structure and method, the same for every method; a method that the zoo cannot
            supply in this number is judged on what there is, with a notice.
        structures: further structures that the zoo does not hold (unseen ones).
        average_k: averages of how many checkpoints of different training runs.
        seed: seed of everything drawn here (generation, baselines, sampled protocols).
        methods: the families of methods to judge. `held-out` and `training` are conventionally trained runs
            from the test and the train split; `average` the mean of k training checkpoints; `reconstructed`
            held-out runs through the autoencoder; `random` a Gaussian with each tensor's mean and standard
            deviation over the training checkpoints; `untrained` fresh initial weights; `reference`
            conventionally trained runs of unseen structures, where a zoo of them is given.
        portraits: methods that are pictured beside the truth, by their median network.
    """

    count: int = Field(default=64, ge=1)
    structures: tuple[str, ...] = ()
    average_k: tuple[int, ...] = (2, 5, 16)
    seed: int = Field(default=0, ge=0)
    methods: tuple[Family, ...] = ALL_FAMILIES
    portraits: tuple[str, ...] = ("held-out", "reference", "generated", "untrained")

    @field_validator("average_k")
    @classmethod
    def _at_least_two(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if any(k < 2 for k in value):
            raise ValueError("an average needs k >= 2 checkpoints")
        return tuple(sorted(set(value)))

    @field_validator("methods")
    @classmethod
    def _not_empty(cls, value: tuple[Family, ...]) -> tuple[Family, ...]:
        if not value:
            raise ValueError(f"name at least one of {', '.join(ALL_FAMILIES)}")
        return value
