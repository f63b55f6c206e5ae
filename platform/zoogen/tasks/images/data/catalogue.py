"""The data sets that are known by name, and what is known of them without loading them."""

import difflib
import re
from dataclasses import dataclass

from zoogen.errors import ZoogenError
from zoogen.shown import shown
from zoogen.tasks.images.config import DataConfig

OWN = "own"  # the data set of a user's own file


@dataclass(frozen=True)
class HubSet:
    """A data set of the Hugging Face hub.

    Attributes:
        hub: identifier of the repository.
        channels: 3 for colour, 1 for grey.
        section: the repository's configuration, where it has several.
        image, label: columns in which the images and labels are, the first that is there.
        test: split on which results are reported.
    """

    hub: str
    classes: int
    channels: int
    section: str | None = None
    image: tuple[str, ...] = ("image", "img")
    label: tuple[str, ...] = ("label", "labels")
    test: str = "test"


# Licences are those that the data sets' authors or hub cards state; none of the images come with zoogen.
HUB: dict[str, HubSet] = {
    "mnist": HubSet("ylecun/mnist", 10, 1),  # LeCun et al. 1998; MIT on the hub
    "fashion-mnist": HubSet("zalando-datasets/fashion_mnist", 10, 1),  # Xiao et al. 2017; MIT
    "kmnist": HubSet("tanganke/kmnist", 10, 1),  # Clanuwat et al. 2018; CC BY-SA 4.0
    "usps": HubSet("flwrlabs/usps", 10, 1),  # Hull 1994; not stated
    "svhn": HubSet("ufldl-stanford/svhn", 10, 3, section="cropped_digits"),  # Netzer et al. 2011; non-commercial
    "cifar10": HubSet("uoft-cs/cifar10", 10, 3),  # Krizhevsky 2009; not stated
    "cifar100": HubSet("uoft-cs/cifar100", 100, 3, label=("fine_label", "label")),  # Krizhevsky 2009; not stated
    "stl10": HubSet("tanganke/stl10", 10, 3),  # Coates et al. 2011, from ImageNet; not stated
    "flowers102": HubSet("dpdl-benchmark/oxford_flowers102", 102, 3),  # Nilsback & Zisserman 2008; not stated
    "pets": HubSet("timm/oxford-iiit-pet", 37, 3),  # Parkhi et al. 2012; CC BY-SA 4.0
    "food101": HubSet("ethz/food101", 101, 3, test="validation"),  # Bossard et al. 2014; not stated
    # Russakovsky et al. 2015; non-commercial, access on request. Its split `test` has no labels.
    "imagenet1k": HubSet("ILSVRC/imagenet-1k", 1000, 3, test="validation"),
}
_ALIASES = {
    "fmnist": "fashion-mnist",
    "kuzushijimnist": "kmnist",
    "flowers": "flowers102",
    "oxfordflowers102": "flowers102",
    "oxfordpets": "pets",
    "oxfordiiitpet": "pets",
    "food": "food101",
    "imagenet": "imagenet1k",
}
_SPELLINGS = {re.sub(r"[^a-z0-9]", "", name): name for name in (*HUB, "digits", OWN)} | _ALIASES
_GLYPHS = re.compile(r"glyphs(\d+)")


def canonical_data(name: str) -> str:
    """Canonical name of a data set: case, spaces, hyphens and underscores do not matter (`CIFAR-100`, `Glyphs 3`).

    Raises:
        ZoogenError: there is no such data set; the nearest names are given.
    """
    plain = re.sub(r"[\s_-]", "", name.lower())
    if match := _GLYPHS.fullmatch(plain):
        return f"glyphs-{int(match[1])}"
    if plain in _SPELLINGS:
        return _SPELLINGS[plain]
    near = difflib.get_close_matches(plain, [*_SPELLINGS, "glyphs0"], n=3, cutoff=0.5)
    names = dict.fromkeys(_SPELLINGS.get(item, "glyphs-0") for item in near)
    hint = (
        f"did you mean {' or '.join(names)}?" if names else f"known are digits, glyphs-0, glyphs-1, …, {', '.join(HUB)}"
    )
    raise ZoogenError(f"there is no data set {shown(name)}; {hint}")


def glyph_set(name: str) -> int | None:
    """N of the canonical name `glyphs-N`; None of any other."""
    return int(name.removeprefix("glyphs-")) if name.startswith("glyphs-") else None


def channels_of(name: str) -> int | None:
    """Channels that a data set's images have; None where only loading tells (a user's own)."""
    name = canonical_data(name)
    if name == OWN:
        return None
    return HUB[name].channels if name in HUB else 1


def classes_of(name: str, config: DataConfig) -> int | None:
    """Number of classes; None where only loading tells (a user's own)."""
    name = canonical_data(name)
    if name in HUB:
        return HUB[name].classes
    if glyph_set(name) is not None:
        return config.glyphs.classes
    return None if name == OWN else 10
