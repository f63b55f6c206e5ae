"""Images and labels in three splits: the record that all data sets become."""

from dataclasses import dataclass

from torch import Tensor


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
    """

    name: str
    train: ImageSplit
    validation: ImageSplit
    test: ImageSplit
    classes: int
    titles: tuple[str, ...] = ()

    @property
    def channels(self) -> int:
        return int(self.train.images.shape[1])

    @property
    def size(self) -> int:
        """Edge in pixels."""
        return int(self.train.images.shape[-1])
