"""The configuration of a sweep: one study, and what its trials vary."""

from typing import Any, Literal, Self

from pydantic import Field, PositiveInt, field_validator, model_validator

from zoogen.config import Config
from zoogen.pipelines.config import PipelineConfig
from zoogen.shown import shown

Stage = Literal["pipeline", "train_autoencoder", "train_generator"]
NAME = "name"  # key of a point that is no setting
# What all trials share: one artifact root, one cluster, one tracking store.
SHARED_SECTIONS = ("study", "artifacts", "store", "ray", "pool", "tracking")


class Domain(Config):
    """The values of one key: a grid (all of them), or a distribution that `samples` trials are drawn from."""

    grid: tuple[Any, ...] | None = Field(None, min_length=1, description="every value, in this order")
    choice: tuple[Any, ...] | None = Field(None, min_length=1, description="one of these, equally likely")
    uniform: tuple[float, float] | None = Field(None, description="low, high")
    loguniform: tuple[float, float] | None = Field(None, description="low, high, both positive")
    randint: tuple[int, int] | None = Field(None, description="low, high; both are possible")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give one of {', '.join(type(self).model_fields)}, for example {{grid: [1, 2, 5]}}")
        bounds = self.uniform or self.loguniform or self.randint
        if bounds is not None and bounds[0] > bounds[1]:
            raise ValueError(f"{given[0]} goes from low to high, not from {bounds[0]:g} to {bounds[1]:g}")
        if self.loguniform is not None and self.loguniform[0] <= 0:
            raise ValueError("loguniform needs positive bounds")
        return self

    @property
    def random(self) -> bool:
        return self.grid is None


class SchedulerConfig(Config):
    """Asynchronous successive halving (Li et al. 2020) over the training curve of a sweep's last trained stage.

    At `grace`, `grace * reduction_factor`, … iterations a trial goes on if it is among the best
    1 / `reduction_factor` of those that came so far.
    """

    kind: Literal["asha"] = "asha"
    metric: Literal["loss", "validation/error"] = Field(
        "loss", description="figure of the training: loss, or validation/error of the autoencoder"
    )
    mode: Literal["min", "max"] = "min"
    grace: PositiveInt = Field(100, description="iterations that every trial gets")
    reduction_factor: float = Field(4.0, gt=1)


class SweepConfig(Config):
    """Trials of one study that differ in the values of some keys."""

    study: str = Field(
        description="name of the sweep, and of its experiment in MLflow", pattern=r"^[A-Za-z0-9][\w.-]{0,99}$"
    )
    base: str = Field(min_length=1, description="the study's YAML file, relative to the sweep's file")
    overrides: dict[str, Any] = Field({}, description="settings of all trials: dotted keys, or nested sections")
    points: tuple[dict[str, Any], ...] = Field((), description="trials by hand: a name, and dotted keys with values")
    space: dict[str, Domain] = Field({}, description="dotted keys with grids or distributions; times the points")
    samples: PositiveInt = Field(1, description="draws from the distributions for every point and grid value")
    seed: int = Field(0, ge=0, lt=2**63, description="seed of the draws")
    stage: Stage = Field("pipeline", description="last stage of a trial")
    columns: tuple[str, ...] = Field(
        (), description="metrics of the table by pattern, for example '*/generated/exact.tv'; none: the ranking metric"
    )
    scheduler: SchedulerConfig | None = Field(None, description="stops trials early by their training curve")
    max_concurrent: PositiveInt | Literal["auto"] = Field("auto", description="trials at a time; auto: what fits")
    cpus_per_trial: float = Field(1.0, gt=0, description="CPUs that Ray reserves for a trial")
    gpus_per_trial: float = Field(0.0, ge=0, description="GPUs for a trial; fractions share one")
    train_in: Literal["process", "ray"] = Field(
        "process", description="train in the trial's own process, or by Ray Train with the workers of the base's train"
    )

    @field_validator("points")
    @classmethod
    def _named(cls, points: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        names = [point.get(NAME) for point in points]
        for index, name in enumerate(names):
            if not isinstance(name, str) or not name.strip():
                raise ValueError(f"point {index + 1} needs a name, for example {{name: N=2, zoo.structures: [A, B]}}")
            if name in names[:index]:
                raise ValueError(f"two points are named {shown(name)}")
        return points

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.points and not self.space:
            raise ValueError("nothing to sweep over; give points or space")
        if self.samples > 1 and not any(domain.random for domain in self.space.values()):
            raise ValueError("samples draws from distributions, and space has none; drop it, or sweep over seed")
        for key in self.swept_keys:
            section = key.partition(".")[0]
            if section in SHARED_SECTIONS and section in PipelineConfig.model_fields:
                raise ValueError(f"{section} is shared by all trials and cannot be swept; set it in overrides or base")
        for point in self.points:
            if both := [key for key in point if key in self.space]:
                raise ValueError(f"{both[0]} is set by the point {shown(point[NAME])} and by space; keep one of them")
        if self.scheduler is not None and self.train_in == "ray":
            raise ValueError("a scheduler needs train_in: process, where the training curve can be told to it")
        return self

    @property
    def swept_keys(self) -> tuple[str, ...]:
        """Dotted keys that points and space set, in the order of their first appearance."""
        keys = [key for point in self.points for key in point if key != NAME]
        return tuple(dict.fromkeys([*keys, *self.space]))
