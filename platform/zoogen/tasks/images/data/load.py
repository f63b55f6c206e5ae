"""Any data set by name, as images of one size in three splits."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np

from zoogen.errors import ZoogenError
from zoogen.networks.classifiers.own import OwnModule
from zoogen.seeds import seeded
from zoogen.tasks.images.config import DataConfig
from zoogen.tasks.images.data.catalogue import OWN, canonical_data, glyph_set
from zoogen.tasks.images.data.glyphs import render
from zoogen.tasks.images.data.hub import load_hub
from zoogen.tasks.images.data.partition import Indices, checked_labels, plan
from zoogen.tasks.images.data.pixels import array_of, as_tensor, fitted
from zoogen.tasks.images.data.splits import ImageData, assemble

__all__ = ["canonical_data", "from_arrays", "load_images"]


def load_images(name: str, *, size: int, channels: int, config: DataConfig, own: OwnModule | None = None) -> ImageData:
    """The data set of that name (any spelling), the same object for the same arguments in one process.

    Args:
        size: edge in pixels.
        channels: 1 or 3.
        own: the file that `own` stands for.

    Raises:
        ZoogenError: no such data set, not to be had, or not fit to be learnt from.
    """
    name = canonical_data(name)
    if channels not in (1, 3) or size < 1:
        raise ZoogenError(f"images have 1 or 3 channels and a size of 1 or more, not {channels} and {size}")
    if name == OWN:
        return _own(own, size, channels, config)
    if name == "digits" or glyph_set(name) is not None:
        return _embedded(name, size, channels, config)
    return _hub(name, size, channels, config)


def from_arrays(
    name: str,
    images: Any,
    labels: Any,
    config: DataConfig,
    size: int,
    channels: int,
    titles: tuple[str, ...] = (),
) -> ImageData:
    """A data set of arrays, split by the shares of `config`, every class in proportion.

    Args:
        images: [n, H, W], [n, H, W, C] or [n, C, H, W] with C 1 or 3, numbers of any type.
        labels: [n] whole numbers 0 … K - 1.
        titles: names of the K classes; their numbers where none are given.

    Raises:
        ZoogenError: wrong shapes or types, labels out of range, a class or split without images.
    """
    pixels = as_tensor(name, images)
    numbers = checked_labels(name, "train", array_of(labels), len(titles) or None)
    if len(numbers) != len(pixels):
        raise ZoogenError(f"data set {name} has {len(pixels)} images but {len(numbers)} labels")
    titles = titles or tuple(str(label) for label in range(_counted(name, numbers)))
    parts = plan(name, {"train": numbers}, None, len(titles), config)
    chosen = {split: fitted(pixels[part.indices], size, channels) for split, part in parts.items()}
    return assemble(name, chosen, {"train": numbers}, parts, titles)


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


_hub = lru_cache(2)(load_hub)  # hundreds of megabytes each


def own_channels(own: OwnModule | None) -> int:
    """Channels that the images of one's own data set have as they come, 1 or 3.

    Raises:
        ZoogenError: there is no such data set, or it holds no images.
    """
    return int(as_tensor(OWN, _arrays(own)[0]).shape[1])


@lru_cache(2)
def _own(own: OwnModule | None, size: int, channels: int, config: DataConfig) -> ImageData:
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


@lru_cache(1)
def _arrays(own: OwnModule | None) -> tuple[Any, Any]:
    """Images and labels as one's own file gives them, asked once."""
    if own is None:
        raise ZoogenError("the data set own needs task.own, a Python file that defines data() -> (images, labels)")
    if own.data is None:
        raise ZoogenError(f"{own.path} defines no data() -> (images, labels); add it, or name a data set")
    with _same_draws():
        return own.data()
