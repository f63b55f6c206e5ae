"""Images and labels in three splits: the record that all data sets become."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.splits import SPLITS
from zoogen.tasks.images.data.partition import Indices, Part
from zoogen.tasks.images.data.pixels import moments
from zoogen.weights.hashing import tensors_hash


@dataclass(frozen=True)
class ImageSplit:
    """Images [n, C, S, S] float32, standardised per channel by the training split, with labels [n] int64."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class ImageData:
    """A data set.

    Attributes:
        name: canonical name, for example `digits` or `glyphs-3`.
        classes: number K of classes; labels are 0 … K − 1.
        titles: names of the classes.
        content: hash of images and labels as they were loaded, before arithmetic that machines may round differently.
    """

    name: str
    train: ImageSplit
    validation: ImageSplit
    test: ImageSplit
    classes: int
    titles: tuple[str, ...] = ()
    content: str = ""

    @property
    def channels(self) -> int:
        return int(self.train.images.shape[1])

    @property
    def size(self) -> int:
        """Edge in pixels."""
        return int(self.train.images.shape[-1])


def hash_of_images(images: Mapping[str, Tensor], labels: Mapping[str, Indices]) -> str:
    """Hash of images [n, C, H, W] and labels [n] by split, 32 hexadecimal digits."""
    numbers = {f"labels {split}": torch.from_numpy(values) for split, values in labels.items()}
    return tensors_hash({**{f"images {split}": pixels for split, pixels in images.items()}, **numbers})


def assemble(
    name: str,
    images: dict[str, Tensor],
    labels: dict[str, Indices],
    parts: dict[str, Part],
    titles: tuple[str, ...],
    content: str = "",
) -> ImageData:
    """The data set of the parts' images, raw pixels [n, C, S, S] by split (the mapping is emptied on the way).

    Copies: where we cut a split off, an image that is also in it is left out of validation and training, or of
    training, so that nothing is reported on what was learnt; splits that came apart stay as they are.

    Raises:
        ZoogenError: copies are all there is of a split or of a class.
    """
    classes = len(titles)
    chosen = {split: torch.from_numpy(labels[part.source][part.indices]) for split, part in parts.items()}
    marks: dict[str, list[bytes]] = {split: _marks(images[split]) for split in SPLITS}
    for split, others in (("validation", ("test",)), ("train", ("validation", "test"))):
        copies = {m for other in others if parts[split].carved or parts[other].carved for m in marks[other]}
        kept = torch.tensor([mark not in copies for mark in marks[split]])
        if not bool(kept.all()):
            images[split], chosen[split] = images[split][kept], chosen[split][kept]
            marks[split] = [mark for mark in marks[split] if mark not in copies]
        if not marks[split]:
            raise ZoogenError(f"data set {name}: all images for {split} are copies of images elsewhere in it")
    missing = (chosen["train"].bincount(minlength=classes) == 0).nonzero().flatten()
    if len(missing):
        raise ZoogenError(
            f"data set {name}: all training images of class {int(missing[0])} are copies of images elsewhere in it"
        )
    mean, deviation = moments(images["train"])
    made = {split: ImageSplit(_standardised(images.pop(split), mean, deviation), chosen[split]) for split in SPLITS}
    return ImageData(name, made["train"], made["validation"], made["test"], classes, titles, content)


def _marks(images: Tensor) -> list[bytes]:
    return [hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=16).digest() for image in images.numpy()]


def _standardised(images: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    values = images.to(torch.float32, copy=True)
    return values.sub_(mean.float()[:, None, None]).div_(deviation.float()[:, None, None])
