"""What an evaluation compares, and how many networks of each."""

from typing import Annotated, Literal, get_args

from pydantic import Field, field_validator, model_validator

from zoogen.autoencoders.config import AutoencoderConfig
from zoogen.config import Config

Family = Literal[
    "generated",
    "held-out",
    "training",
    "nearest",
    "average",
    "gaussian",
    "pca-gaussian",
    "noise",
    "reconstructed",
    "kde",
    "prior",
    "random",
    "untrained",
    "reference",
    "ensemble",
    "vae",
    "conventional",
    "others",
    "latent-average",
]

TRUTH = "truth"  # the method of a portrait that shows what was to be learnt

# Judged unless a configuration names others: `ensemble` and `vae` are p-diff's and wanted where its tables are;
# `conventional` trains networks anew.
DEFAULT_FAMILIES: tuple[Family, ...] = (
    *("generated", "held-out", "training", "nearest", "average", "gaussian", "pca-gaussian", "noise"),
    *("reconstructed", "kde", "prior", "random", "untrained", "reference"),
)


def is_method_name(name: str) -> bool:
    """Whether a family has, or may have, a method of this name."""
    return name == TRUTH or any(name == family or name.startswith(f"{family}-") for family in get_args(Family))


class AuditConfig(Config):
    """Which comparisons with the training checkpoints are made beside the plain distance of weights.

    Attributes:
        matched: distances after matching hidden units, where the task knows such symmetries.
        behaviour: distances between what networks do, where the task can tell.
        sample: the first so many networks of each method, and as many training checkpoints, are compared in
            these ways; both cost time per pair.
        behaviour_sample: the same number for behaviour alone, where that is cheap; `sample` if None.
        originals: measure the training checkpoints of the method `training` too, each against the others (p-diff §4:
            its similarity to itself is excluded); else their distances are left out.
        neighbours: k of coverage and density (Naeem et al. 2020).
    """

    matched: bool = True
    behaviour: bool = True
    sample: int = Field(default=48, ge=2)
    behaviour_sample: int | None = Field(default=None, ge=2, exclude_if=lambda value: value is None)
    originals: bool = Field(default=False, exclude_if=lambda value: not value)
    neighbours: int = Field(default=5, ge=1)

    @property
    def compared_in_behaviour(self) -> int:
        """Networks of each method, and training checkpoints, whose behaviour is compared."""
        return self.behaviour_sample or self.sample


class WeightMapConfig(Config):
    """Weight matrices that are kept to be drawn.

    Attributes:
        structures: of which structures; the first known one if empty.
        networks: so many generated networks beside one conventionally trained one; 0 for none.
        largest: matrices of more values than this are left out.
    """

    structures: tuple[str, ...] = ()
    networks: int = Field(default=4, ge=0)
    largest: int = Field(default=20_000, ge=1)


class TrajectoryConfig(Config):
    """Quality of networks on their way from noise (p-diff, Figure 5b).

    Attributes:
        networks: how many are followed.
        points: denoising steps at which they are decoded and judged, evenly spaced, first and last included.
        structures: of which structures; the first known one if empty.
    """

    networks: int = Field(default=5, ge=1)
    points: int = Field(default=20, ge=2)
    structures: tuple[str, ...] = ()


class ConventionalConfig(Config):
    """Networks trained from scratch for the evaluation, at fixed budgets.

    Attributes:
        iterations: the budgets; each is a method `conventional-N`, whose schedule runs over its N iterations.
        runs: networks of each.
        structures: on which structures alone; all that are judged if empty.
    """

    iterations: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(500, 2_000, 5_000), min_length=1)
    runs: int = Field(default=8, ge=1)
    structures: tuple[str, ...] = Field(default=(), exclude_if=lambda value: not value)

    @field_validator("iterations")
    @classmethod
    def _ascending(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(set(value)))


class EvaluationConfig(Config):
    """Settings of the evaluation.

    Attributes:
        count: networks per structure and method, the same for every method; a method that the zoo cannot
            supply in this number is judged on what there is, with a notice.
        structures: further structures that the zoo does not hold (unseen ones).
        known: which of the zoo's structures are judged; None for all.
        average_k: averages of how many checkpoints of different training runs (`average`, `latent-average`).
        pca_components: dimensions of the Gaussian of `pca-gaussian`; fewer where there are fewer checkpoints.
        noise: sizes of the noise on training checkpoints, in standard deviations of each tensor.
        kde: widths of the kernels of `kde`, in standard deviations of each latent dimension over the structure's
            training checkpoints. (Scott's rule would give about 1 in hundreds of dimensions, where kernels no longer
            follow the data.)
        seed: seed of everything drawn here (generation, baselines, sampled protocols).
        methods: the families of methods to judge. `held-out` and `training` are conventionally trained runs
            from the test and the train split; `nearest` the training checkpoint nearest to each generated
            network (on an unseen structure: training checkpoints of the nearest known structure, carried over);
            `average` the mean of k training checkpoints, `latent-average` that of their latents, decoded; `gaussian` a
            normal distribution of each weight, `pca-gaussian` one along the principal components of the training
            checkpoints; `noise` training checkpoints with noise added; `reconstructed` held-out runs through the
            autoencoder; `kde` a kernel density of the training latents, decoded; `prior` standard normal latents,
            decoded; `random` a Gaussian with each tensor's mean and standard deviation over the training checkpoints;
            `untrained` fresh initial weights; `reference` conventionally trained runs of unseen structures, where a
            zoo of them is given; `ensemble` the average of all training checkpoints, one network (p-diff §3.1); `vae`
            networks decoded from the prior of a variational autoencoder (p-diff, Table 8); `conventional` networks
            trained from scratch here, at the budgets of `evaluation.conventional`, where the task has such budgets.
            Further models of the study (`others`) are judged in any case, last unless `others` has a place among these.
        unseen_methods: which of them are judged on unseen structures, too; possible are `generated`, `nearest`,
            `prior`, `untrained`, `reference` and `conventional`.
        portraits: methods that are pictured beside the truth, by their median network.
        audit: comparisons with the training checkpoints.
        weight_maps: weight matrices that are kept to be drawn.
        vae: the autoencoder of `vae`, one with a KL term; it is trained on each structure's training checkpoints, and
            its seconds count as those of making the networks.
        conventional: budgets and runs of `conventional`.
        trajectories: follow some networks through the denoising steps; None leaves it out.
    """

    count: int = Field(default=64, ge=1)
    structures: tuple[str, ...] = ()
    known: tuple[str, ...] | None = Field(default=None, exclude_if=lambda value: value is None)
    average_k: tuple[int, ...] = (2, 5, 16)
    pca_components: int = Field(default=16, ge=1)
    noise: tuple[float, ...] = (0.001, 0.01, 0.05, 0.15)
    kde: tuple[float, ...] = (0.01, 0.1, 0.3)
    seed: int = Field(default=0, ge=0)
    methods: tuple[Family, ...] = DEFAULT_FAMILIES
    unseen_methods: tuple[Family, ...] = ("generated", "nearest", "untrained", "reference")
    portraits: tuple[str, ...] = ("held-out", "reference", "generated", "untrained")
    audit: AuditConfig = AuditConfig()
    weight_maps: WeightMapConfig = WeightMapConfig()
    vae: AutoencoderConfig | None = Field(default=None, exclude_if=lambda value: value is None)
    conventional: ConventionalConfig = Field(
        default=ConventionalConfig(), exclude_if=lambda value: value == ConventionalConfig()
    )
    trajectories: TrajectoryConfig | None = Field(default=None, exclude_if=lambda value: value is None)

    @field_validator("average_k")
    @classmethod
    def _at_least_two(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if any(k < 2 for k in value):
            raise ValueError("an average needs k >= 2 checkpoints")
        return tuple(sorted(set(value)))

    @field_validator("noise", "kde")
    @classmethod
    def _positive(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if any(scale <= 0 for scale in value):
            raise ValueError("sizes of noise and widths of kernels must be greater than 0")
        return tuple(sorted(set(value)))

    @field_validator("methods")
    @classmethod
    def _not_empty(cls, value: tuple[Family, ...]) -> tuple[Family, ...]:
        if not value:
            raise ValueError(f"name at least one of {', '.join(DEFAULT_FAMILIES)}")
        return value

    @model_validator(mode="after")
    def _variational(self) -> "EvaluationConfig":
        if "vae" in self.methods and self.vae is None:
            raise ValueError("methods names vae, so evaluation.vae has to hold its autoencoder, one with kl")
        if self.vae is not None and self.vae.model_dump().get("kl") is None:
            raise ValueError(
                "the prior of vae is that of its KL term; set evaluation.vae.kl to its weight, such as 0.001"
            )
        return self

    def families(self, known: bool) -> tuple[Family, ...]:
        """The families to judge on a known or an unseen structure, in the order of `methods`."""
        return tuple(f for f in dict.fromkeys(self.methods) if known or f in self.unseen_methods)
