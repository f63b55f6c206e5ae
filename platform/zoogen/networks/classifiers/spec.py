"""What a classifier is known by: how it is built, and which units of it may be renumbered."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from zoogen.weights.layout import ParameterLayout
from zoogen.weights.symmetry import UnitGroup

Build = Callable[[int, int, int], nn.Module]  # (channels, edge in pixels, classes) to images [B, C, S, S] -> logits
Groups = Callable[[ParameterLayout], tuple[UnitGroup, ...]]


def no_groups(_: ParameterLayout) -> tuple[UnitGroup, ...]:
    """Of networks whose symmetries are not known."""
    return ()


@dataclass(frozen=True)
class ClassifierSpec:
    """A classifier by name.

    Attributes:
        name: as in a structure's name, for example `cnn-small`.
        title: for tables, for example `CNN-small`.
        build: makes an untrained module; initial weights come from torch's global generator.
        size: edge in pixels of the images that it takes by default.
        channels: 3 for colour, 1 for grey, None for as many as the data set has.
        normalisations: glob patterns of the parameters of its last two normalisation layers, p-diff's default subset;
            empty where it has none.
        groups: units that may be renumbered, given the layout of all its parameters and of its running statistics
            (`running_mean`, `running_var`), which are renumbered with them.
        source: identity of the code that is not part of this package (a digest), empty for our own.
    """

    name: str
    title: str
    build: Build
    size: int
    channels: int | None = None
    normalisations: tuple[str, ...] = ()
    groups: Groups = no_groups
    source: str = ""
