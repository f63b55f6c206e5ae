"""Any data set by name, as images of one size in three splits."""

import random
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np

from zoogen.errors import ZoogenError
from zoogen.networks.classifiers.own import OwnModule
from zoogen.seeds import seeded
from zoogen.tasks.images.config import DataConfig
from zoogen.tasks.images.content import require_content
from zoogen.tasks.images.data.catalogue import OWN, canonical_data, glyph_set
from zoogen.tasks.images.data.glyphs import render
from zoogen.tasks.images.data.hub import load_hub
from zoogen.tasks.images.data.partition import Indices, checked_labels, plan
from zoogen.tasks.images.data.pixels import array_of, as_tensor, fitted
from zoogen.tasks.images.data.splits import ImageData, assemble, hash_of_images

__all__ = ["canonical_data", "from_arrays", "load_images"]


def load_images(
    name: str,
    *,
    size: int,
    channels: int | None,
    config: DataConfig,
    own: OwnModule | None = None,
    content: str | None = None,
    anew: bool = False,
) -> ImageData:
    """The data set of that name (any spelling), the same object for the same arguments in one process.

    Args:
        size: edge in pixels.
        channels: 1 or 3; None: as many as the images of one's own file have.
        own: the file that `own` stands for.
        content: hash that images and labels must have (`ImageData.content`); None for any.
        anew: whether images that do not come with the package are loaded now, though they were loaded before.

    Raises:
        ZoogenError: no such data set, not to be had, not fit to be learnt from, or of another content.
    """
    name = canonical_data(name)
    if channels not in (1, 3, None if name == OWN else 1) or size < 1:
        raise ZoogenError(f"images have 1 or 3 channels and a size of 1 or more, not {channels} and {size}")
    if channels is not None and not loaded_from_outside(name):
        return _embedded(name, size, channels, config)
    wanted = (name, size, config, own)
    for held in () if anew else reversed(_LOADED):
        if held[0] == wanted and channels in (None, held[1].channels) and content in (None, held[1].content):
            return held[1]
    data = _own(own, size, channels, config) if channels is None or name == OWN else _hub(name, size, channels, config)
    require_content(_title(name, config, own), data.content, content)
    _LOADED.append((wanted, data))
    return data


def loaded_from_outside(name: str) -> bool:
    """Whether that data set, a canonical name, does not come with the package."""
    return name != "digits" and glyph_set(name) is None


_hub = load_hub
_LOADED: deque[tuple[tuple[object, ...], ImageData]] = deque(maxlen=2)  # hundreds of megabytes each


def _title(name: str, config: DataConfig, own: OwnModule | None) -> str:
    place = own.path if own is not None else f"below {config.root}" if config.root is not None else "of the hub"
    return f"data set {name} ({place})"


def from_arrays(
    name: str,
    images: Any,
    labels: Any,
    config: DataConfig,
    size: int,
    channels: int | None,
    titles: tuple[str, ...] = (),
) -> ImageData:
    """A data set of arrays, split by the shares of `config`, every class in proportion.

    Args:
        images: [n, H, W], [n, H, W, C] or [n, C, H, W] with C 1 or 3, numbers of any type.
        labels: [n] whole numbers 0 … K - 1.
        channels: 1 or 3; None: as many as the images have.
        titles: names of the K classes; their numbers where none are given.

    Raises:
        ZoogenError: wrong shapes or types, labels out of range, a class or split without images.
    """
    pixels = as_tensor(name, images)
    numbers = checked_labels(name, "train", array_of(labels), len(titles) or None)
    if len(numbers) != len(pixels):
        raise ZoogenError(f"data set {name} has {len(pixels)} images but {len(numbers)} labels")
    content, channels = hash_of_images({"": pixels}, {"": numbers}), channels or int(pixels.shape[1])
    titles = titles or tuple(str(label) for label in range(_counted(name, numbers)))
    parts = plan(name, {"train": numbers}, None, len(titles), config)
    chosen = {split: fitted(pixels[part.indices], size, channels) for split, part in parts.items()}
    return assemble(name, chosen, {"train": numbers}, parts, titles, content)


def _counted(name: str, labels: Indices) -> int:
    """Number of classes, where nothing but the labels [n] tells it."""
    found = np.unique(labels)
    if len(found) < 2:
        raise ZoogenError(f"data set {name} has one class; there is nothing to tell apart, give two or more")
    gaps = np.flatnonzero(found != np.arange(len(found)))
    if len(gaps):
        raise ZoogenError(
            f"data set {name}: class {gaps[0]} has no images, though labels go up to {found[-1]}; "
            f"number the classes 0 to {len(found) - 1}"
        )
    return len(found)


@lru_cache(16)  # 7 MB each at 32 pixels, 360 MB at 224
def _embedded(name: str, size: int, channels: int, config: DataConfig) -> ImageData:
    number = glyph_set(name)
    if number is not None:
        drawn = render(number, size, config)
        return from_arrays(name, drawn.images.numpy(), drawn.labels, config, size, channels, drawn.titles)
    from sklearn.datasets import load_digits

    digits = load_digits()  # UCI's optical recognition of handwritten digits, 1,797 images of 8 x 8
    titles = tuple(str(label) for label in digits.target_names)
    return from_arrays(name, digits.images.astype(np.float32) / 16, digits.target, config, size, channels, titles)


def _own(own: OwnModule | None, size: int, channels: int | None, config: DataConfig) -> ImageData:
    images, labels = _arrays(own)
    return from_arrays(OWN, images, labels, config, size, channels, own.titles if own is not None else ())


@contextmanager
def _same_draws() -> Iterator[None]:
    """Global random numbers as in every other process: one's own data are loaded anew in each."""
    before, legacy = random.getstate(), np.random.get_state()
    try:
        with seeded(0):
            random.seed(0)
            np.random.seed(0)
            yield
    finally:
        random.setstate(before)
        np.random.set_state(legacy)


def _arrays(own: OwnModule | None) -> tuple[Any, Any]:
    """Images and labels as one's own file gives them."""
    if own is None:
        raise ZoogenError("the data set own needs task.own, a Python file that defines data() -> (images, labels)")
    if own.data is None:
        raise ZoogenError(f"{own.path} defines no data() -> (images, labels); add it, or name a data set")
    with _same_draws():
        return own.data()
