"""Configuration of zoos, and the splits of their runs."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from zoogen.config import Config

# A run's index tells its split: training runs count from 0, validation runs from one million, test
# runs from two. No plan can therefore train on a run that another one tests on.
SPLIT_STRIDE = 1_000_000


RunCount = Annotated[int, Field(ge=1, lt=SPLIT_STRIDE)]


class ZooConfig(Config):
    """A zoo: which structures, how many runs, and how they are trained together.

    The paper's single run with dense checkpoints is `runs: 1` with many checkpoints in the task.
    """

    structures: tuple[str, ...] = Field(
        min_length=1, description="structures, trained in this order: the slowest first ends soonest"
    )
    runs: int = Field(16, ge=1, lt=SPLIT_STRIDE, description="training runs per structure")
    runs_of: dict[str, RunCount] = Field(
        default_factory=dict,
        description="training runs of single structures, in any spelling; all others have `runs`",
        exclude_if=lambda value: not value,
    )
    validation_runs: int = Field(2, ge=0, lt=SPLIT_STRIDE, description="runs per structure for selection")
    test_runs: int = Field(4, ge=0, lt=SPLIT_STRIDE, description="runs per structure for the report")
    held_out: tuple[str, ...] | None = Field(
        None,
        description="structures that have validation and test runs, in any spelling; null: all",
        exclude_if=lambda value: value is None,
    )
    cohort: int = Field(16, ge=1, le=4096, description="runs that one worker trains at once")
    initialisation: Literal["shared", "independent", "aligned"] = Field(
        "shared",
        description="shared: all runs start from the same weights; independent: each from its own; aligned: from a "
        "style, which is the same for every structure",
    )
    styles: int | None = Field(
        None,
        ge=1,
        description="of `aligned`: run r of every structure and split starts from style r mod so many; null: each run "
        "index has a style of its own",
        exclude_if=lambda value: value is None,
    )
    seed: int = Field(0, ge=0, lt=2**63, description="seed of everything random in the zoo")

    @field_validator("structures", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _styles_of_aligned_runs(self) -> "ZooConfig":
        if self.styles is not None and self.initialisation != "aligned":
            raise ValueError("styles are those of runs that start aligned; set initialisation to aligned")
        return self

    def training_runs(self, structure: str) -> int:
        """Training runs of a structure, named as in `runs_of`."""
        return self.runs_of.get(structure, self.runs)
