"""Configuration of the images task: data, networks, the way to a zoo, and what of a network is generated."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from zoogen.config import Config
from zoogen.networks.classifiers.config import Initialisation
from zoogen.schedules import Schedule
from zoogen.tasks.images.content import Content

Fraction = Annotated[float, Field(ge=0, lt=1)]
TrainingMode = Literal["auto", "stacked", "single"]


class GlyphConfig(Config):
    """Characters rendered from the fonts that matplotlib ships (data sets `glyphs-0`, `glyphs-1`, …)."""

    classes: int = Field(10, ge=2, description="characters per set; each set draws its own")
    images: int = Field(180, ge=3, description="images per character, over all splits")
    rotation: float = Field(15.0, ge=0, description="largest turn in degrees")
    scale: float = Field(0.15, ge=0, lt=1, description="largest change of size, as a fraction")
    shift: float = Field(0.1, ge=0, lt=1, description="largest shift, as a fraction of the edge")
    shear: float = Field(10.0, ge=0, description="largest shear in degrees")
    noise: float = Field(0.15, ge=0, description="standard deviation of pixel noise; ink is 1 and paper 0")


class DataConfig(Config):
    """How a data set becomes images of one size in three splits.

    Splits do not overlap and do not depend on the runs: networks learn from `train`, are chosen by `validation` and
    reported on `test`. Sets with a test split of their own keep it.
    """

    size: int | None = Field(None, ge=4, le=4096, description="edge in pixels; null: what the network takes")
    validation: float = Field(0.15, gt=0, lt=1, description="share of the images outside test that is held back")
    test: float = Field(0.25, gt=0, lt=1, description="share for test where the set has no test split")
    limit: int | None = Field(None, ge=1, description="images per split at most; null: all")
    seed: int = Field(0, ge=0, description="seed of the splits and of rendered images")
    root: str | None = Field(
        None, description="folder with one folder per data set, as datasets' save_to_disk or as files; null: the hub"
    )
    glyphs: GlyphConfig = GlyphConfig()


class ClassifierOptimiserConfig(Config):
    """torch's optimiser of that name with a schedule over the phase."""

    kind: Literal["adamw", "adam", "sgd"] = "adamw"
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(5e-4, ge=0)
    momentum: Fraction = Field(0.9, description="of sgd")
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    schedule: Schedule = "cosine"


class PhaseConfig(Config):
    """One phase of training by cross-entropy."""

    iterations: int = Field(ge=0, description="gradient steps")
    batch_size: int = Field(128, ge=1)
    optimiser: ClassifierOptimiserConfig = ClassifierOptimiserConfig()
    augmentation: Literal["none", "shift", "crop"] = Field(
        "none", description="shift: by up to an eighth of the edge; crop: random resized crop, as in p-diff's Table 5"
    )


class CollectionConfig(PhaseConfig):
    """The phase whose steps are the checkpoints (p-diff §2.3: 300 steps, one checkpoint each)."""

    iterations: int = Field(300, ge=1, description="gradient steps")
    every: int = Field(1, ge=1, description="steps from one checkpoint to the next; the last one is the end")
    optimiser: ClassifierOptimiserConfig = ClassifierOptimiserConfig(learning_rate=3e-2)

    def checkpoint_steps(self) -> list[int]:
        """Steps (from 1) after which checkpoints are taken, ascending."""
        return list(range(self.iterations, 0, -self.every))[::-1]


class ImagesConfig(Config):
    """Classifiers of images.

    A structure is `network@data`, for example `cnn-small@digits`, `resnet18@cifar100`, `mlp-mini@glyphs-3`.

    Attributes:
        data: data sets and their splits.
        own: path of a Python file with one's own networks and data sets (see `networks.classifiers.own`).
        own_source: SHA-256 of that file and of what it imports from the allowed folders, filled in when the task is
            made; another file of that path is refused.
        content: what must be loaded for the structure that this is the configuration of, filled in when a cohort is
            planned; other data, networks and published weights are refused.
        start: `trunk`: every run continues from one network of the structure, trained to convergence once (p-diff);
            `scratch`: every run trains a network of its own first, from initial weights by `zoo.initialisation`.
        initialisation: of untrained networks: as torch builds them, `kaiming-uniform` or `kaiming-normal` with biases
            0, or `uniform01`: weights from U(0, 1) and biases .01 (ModelZoo's, a handicap).
        pretrained: begin the trunk from the published weights of that architecture (needs the hub or a local copy).
        seed: seed of the trunk.
        training: the phase before checkpoints are collected. 0 iterations leave it out.
        collection: the phase of the checkpoints; only the subset changes.
        subset: glob patterns of the parameters that are generated; `normalisations` stands for the last two
            normalisation layers of the network; with the default, the subset that one's own file names holds (`**`
            means all parameters of such a network, too).
        statistics: running statistics of batch normalisation: `kept` leaves the trunk's, `regenerated` makes those of
            the subset's layers part of the vector (variances as logarithms), `recalibrated` takes them anew from
            training images for every network that is judged.
        condition: what a generator is told of a structure: `none` (one number that never differs), `index` (one-hot
            over `conditions`) or `data` (numbers that describe the data set's images and classes).
        conditions: the structures that `index` counts, in order.
        judged_at_once: networks whose outputs are computed in one batched pass; null: by memory.
        mode: `stacked` trains the runs of a cohort in batched passes, `single` one after the other, with equal results
            but for rounding; `auto` takes what pays (see `stacked.stacks`).
    """

    kind: Literal["images"] = "images"
    data: DataConfig = DataConfig()
    own: str | None = None
    own_source: str | None = Field(None, exclude_if=lambda source: source is None)
    content: Content | None = Field(None, exclude_if=lambda content: content is None)
    start: Literal["trunk", "scratch"] = "trunk"
    initialisation: Initialisation = Field("torch", exclude_if=lambda kind: kind == "torch")
    pretrained: bool = False
    seed: int = Field(0, ge=0, lt=2**63)
    training: PhaseConfig = PhaseConfig(iterations=600)
    collection: CollectionConfig = CollectionConfig()
    subset: tuple[str, ...] = Field(("*",), min_length=1)
    statistics: Literal["kept", "regenerated", "recalibrated"] = "kept"
    condition: Literal["none", "index", "data"] = "none"
    conditions: tuple[str, ...] = ()
    judged_at_once: int | None = Field(None, ge=1)
    mode: TrainingMode = Field("auto", exclude_if=lambda mode: mode == "auto")

    @model_validator(mode="after")
    def _consistent(self) -> "ImagesConfig":
        if self.start == "scratch" and tuple(self.subset) != ("*",):
            raise ValueError(
                "a subset needs start: trunk, since all networks share the rest of it; or set subset to ['*']"
            )
        if self.start == "scratch" and self.pretrained:
            raise ValueError("pretrained weights are those of a trunk; set start to trunk")
        if self.pretrained and self.initialisation != "torch":
            raise ValueError("pretrained weights are an initialisation of their own; leave initialisation at torch")
        if self.condition == "index" and not self.conditions:
            raise ValueError("condition: index needs conditions, the structures in order")
        return self

    @property
    def whole(self) -> bool:
        """Whether all parameters are generated."""
        return tuple(self.subset) == ("*",)
