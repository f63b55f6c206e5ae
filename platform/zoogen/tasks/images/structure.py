"""Structures `network@data`: what they are made of under a configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from torch import Tensor, nn

from zoogen.errors import ZoogenError
from zoogen.networks.classifiers.build import (
    checked,
    initial_hash,
    last_normalisations,
    require_shapes,
    seeded_build,
)
from zoogen.networks.classifiers.config import Initialisation
from zoogen.networks.classifiers.initialise import initialise
from zoogen.networks.classifiers.own import OwnModule, load_own
from zoogen.networks.classifiers.registry import classifier
from zoogen.networks.classifiers.spec import ClassifierSpec
from zoogen.seeds import seeded
from zoogen.shown import shown
from zoogen.tasks.images.config import GlyphConfig, ImagesConfig
from zoogen.tasks.images.content import NOTHING, require_content
from zoogen.tasks.images.data.catalogue import OWN, canonical_data, channels_of, classes_of, glyph_set
from zoogen.tasks.images.data.load import load_images, loaded_from_outside
from zoogen.tasks.images.data.splits import ImageData
from zoogen.tasks.images.running_statistics import running_layers
from zoogen.tasks.images.view import ClassifierView
from zoogen.weights.layout import ParameterLayout

_NORMALISATIONS = "normalisations"  # stands in task.subset for the last two normalisation layers


@dataclass(frozen=True)
class ImagesStructure:
    """A classifier on a data set.

    Attributes:
        spec: the network.
        data: canonical name of the data set.
    """

    spec: ClassifierSpec
    data: str

    @classmethod
    def parse(cls, text: str, own: OwnModule | None = None) -> "ImagesStructure":
        """`network@data` in any spelling of the two.

        Raises:
            ZoogenError: it is not of that form, or one of the names is unknown.
        """
        network, at, data = text.partition("@")
        if not at or not network.strip() or not data.strip():
            raise ZoogenError(f"structure {shown(text)} is not of the form network@data, for example cnn-small@digits")
        return cls(classifier(network, own), canonical_data(data))

    @property
    def name(self) -> str:
        return f"{self.spec.name}@{self.data}"

    @property
    def label(self) -> str:
        """For tables: the network's title, one word, and the data set."""
        return f"{'-'.join(self.spec.title.split())}@{self.data}"


@dataclass(frozen=True)
class Classifier:
    """A structure's network as it is built and generated.

    Attributes:
        spec: how it is known.
        channels, size, classes: of the images that it takes and the logits that it gives.
        view: what of it is generated; its module holds initial weights.
        initial: hash of one's own network by seed 0, empty of those that come with the package.
        initialisation: by what untrained networks begin.
    """

    spec: ClassifierSpec
    channels: int
    size: int
    classes: int
    view: ClassifierView
    initial: str = ""
    initialisation: Initialisation = "torch"

    def fresh(self, seed: int) -> nn.Module:
        """An untrained network in evaluation mode.

        Raises:
            ZoogenError: one's own network has other shapes with this seed, or what it loads has changed.
        """
        module = seeded_build(self.spec, self.channels, self.size, self.classes, seed)
        require_shapes(self.spec, self.view.module, module)
        if self.initial:  # a file that it loads may be another one by now
            now = initial_hash(seeded_build(self.spec, self.channels, self.size, self.classes, 0))
            require_content(_network_title(self.spec), now, self.initial)
        initialise(module, self.initialisation, seed)
        return module

    def published(self, seed: int) -> Mapping[str, Tensor]:
        """The published weights of the network; a head for other classes is drawn from `seed`.

        Raises:
            ZoogenError: there are none for it, or they cannot be had.
        """
        from zoogen.networks.classifiers.published import pretrained_state

        with seeded(seed):
            return pretrained_state(self.spec.name, self.classes, self.size)

    @property
    def whole_layout(self) -> ParameterLayout:
        """Of all parameters and all running statistics."""
        return ClassifierView.of(self.view.module, ("*",), statistics=True).layout

    @property
    def self_sufficient(self) -> bool:
        """Whether the vector holds all that the network is, so that there is no rest to be fixed."""
        return self.view.layout.size == self.whole_layout.size


def own_module(config: ImagesConfig) -> OwnModule | None:
    """What the configuration's own file offers.

    Raises:
        ZoogenError: it is missing, fails, or is another one than the configuration's digest says.
    """
    return None if config.own is None else load_own(config.own, config.own_source)


def narrowed(config: ImagesConfig, structure: str) -> ImagesConfig:
    """The configuration with defaults wherever it does not matter to this structure's networks, so that a change
    there renames neither its trunk nor its cohorts."""
    parsed = ImagesStructure.parse(structure, own_module(config))
    update: dict[str, object] = {"condition": "none", "conditions": (), "judged_at_once": None}
    if OWN not in (parsed.spec.name, parsed.data):
        update |= {"own": None, "own_source": None}
    if glyph_set(parsed.data) is None:
        update["data"] = config.data.model_copy(update={"glyphs": GlyphConfig()})
    return config.model_copy(update=update)


def placed(config: ImagesConfig, root: str | None) -> ImagesConfig:
    """The configuration with another folder of data sets: a place, by which nothing is named."""
    return config.model_copy(update={"data": config.data.model_copy(update={"root": root})})


def images_of(config: ImagesConfig, structure: str) -> ImageData:
    """The structure's data set in the form that its network takes.

    Raises:
        ZoogenError: it cannot be had, is not fit to be learnt from, or is not of the configuration's content.
    """
    found = classifier_of(config, structure)
    return load_for(narrowed(config, structure), structure, found.size, found.channels)


def classifier_of(config: ImagesConfig, structure: str) -> Classifier:
    """The structure's network, built and tried out.

    Raises:
        ZoogenError: it cannot be built, does not take such images, the subset matches nothing, or one's own network is
            not of the configuration's content.
    """
    relevant = narrowed(config, structure)
    parsed, content = ImagesStructure.parse(structure, own_module(relevant)), relevant.content or NOTHING
    if (parsed.spec.source and content.network is None) or (parsed.data == OWN and content.images is None):
        return _classifier.__wrapped__(relevant, structure)  # what one's own file loads may be another one by now
    return _classifier(relevant, structure)


def form_of(config: ImagesConfig, parsed: ImagesStructure, own: OwnModule | None) -> tuple[int, int | None]:
    """Edge and channels of a structure's images; None for as many channels as one's own images have."""
    channels = parsed.spec.channels or channels_of(parsed.data) or (own.channels if own is not None else None)
    return config.data.size or parsed.spec.size, channels


@lru_cache(16)
def _classifier(config: ImagesConfig, structure: str) -> Classifier:
    own = own_module(config)
    parsed, content = ImagesStructure.parse(structure, own), config.content or NOTHING
    spec, (size, channels) = parsed.spec, form_of(config, parsed, own)
    channels, classes = channels or content.channels, classes_of(parsed.data, config.data) or content.classes
    if channels is None or classes is None:  # only a user's own data set does not tell before it is loaded
        images = load_for(config, structure, size, channels)
        channels, classes = images.channels, images.classes
    module = checked(spec, channels, size, classes)
    # of a fresh one: the one that was tried out may remember it
    initial = initial_hash(seeded_build(spec, channels, size, classes, 0)) if spec.source else ""
    require_content(_network_title(spec), initial, content.network if initial else None)
    view = ClassifierView.of(module, _patterns(config, spec, module), config.statistics == "regenerated")
    if config.start == "scratch":
        _require_no_rest(config, structure, view)
    return Classifier(spec, channels, size, classes, view, initial, config.initialisation)


def _network_title(spec: ClassifierSpec) -> str:
    return f"the initial state of the network {spec.name} ({spec.title})"


def _require_no_rest(config: ImagesConfig, structure: str, view: ClassifierView) -> None:
    """That networks from scratch, which share nothing, are told by their vectors."""
    if config.statistics == "kept" and view.has_statistics():
        raise ZoogenError(
            f"{structure} from scratch has no trunk whose running statistics could be kept; set task.statistics to "
            "regenerated or recalibrated"
        )
    taken_anew = [name for name, layer in running_layers(view.module).items() if layer.weight is not None]
    held = {f"{name}.running_mean" for name in taken_anew} if config.statistics == "recalibrated" else set(view.names)
    lost = [name for name, _ in view.module.named_buffers() if name.endswith("running_mean") and name not in held]
    if lost:
        raise ZoogenError(
            f"{lost[0]} of {structure} is neither generated nor taken anew; give that layer parameters (affine=True), "
            "or set task.start to trunk"
        )


def load_for(config: ImagesConfig, structure: str, size: int, channels: int | None, *, anew: bool = False) -> ImageData:
    """The structure's data set in a given form; arguments as of `load_images`."""
    own = own_module(config)
    name, content = ImagesStructure.parse(structure, own).data, config.content or NOTHING
    wanted = content.images if loaded_from_outside(name) else None
    source = own if name == OWN else None
    return load_images(name, size=size, channels=channels, config=config.data, own=source, content=wanted, anew=anew)


def _patterns(config: ImagesConfig, spec: ClassifierSpec, module: nn.Module) -> tuple[str, ...]:
    patterns: list[str] = []
    for pattern in config.subset:
        found = (spec.normalisations or last_normalisations(module)) if pattern == _NORMALISATIONS else (pattern,)
        if not found:
            raise ZoogenError(
                f"the network {spec.name} has no two normalisation layers; name the parameters to generate in "
                "task.subset, for example ['*.bias']"
            )
        patterns.extend(found)
    return tuple(patterns)
