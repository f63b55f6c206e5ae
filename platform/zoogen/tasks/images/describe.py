"""Data sets as numbers: what a generator may be told of a structure."""

import math

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from zoogen.identity import derive_seed
from zoogen.seeds import seeded_generator
from zoogen.tasks.images.data.splits import ImageData

_EDGE = 8  # pixels that images are reduced to
_SPECTRUM = 6  # largest eigenvalues of the images' covariance
_PROJECTIONS = 24  # random projections of the classes' mean images


def described(data: ImageData) -> tuple[float, ...]:
    """A data set as 32 numbers of order one, from its training images and labels alone; always the same numbers.

    Logarithm of the number of classes, channels, the largest eigenvalues of the grey images' covariance (logarithms of
    their shares) and random projections of the classes' mean images. Every class has a projection of its own: networks
    whose outputs stand for the same classes in another order are other networks.
    """
    grey = adaptive_avg_pool2d(data.train.images.mean(1, keepdim=True), _EDGE).flatten(1).double()
    return (math.log10(data.classes), data.channels / 3, *_spectrum(grey), *_projected(grey, data))


def _spectrum(images: Tensor) -> list[float]:
    variances = torch.linalg.svdvals(images - images.mean(0)).square()
    shares = variances / variances.sum().clamp_min(1e-12)
    padded = torch.cat([shares, shares.new_zeros(_SPECTRUM)])[:_SPECTRUM]
    return (padded + 1e-4).log10().tolist()


def _projected(images: Tensor, data: ImageData) -> list[float]:
    means = torch.stack([images[data.train.labels == label].mean(0) for label in range(data.classes)])
    total = images.new_zeros(_PROJECTIONS)
    for label, mean in enumerate(means):
        generator = seeded_generator(derive_seed("class projection", label))
        total += torch.randn(_PROJECTIONS, mean.numel(), generator=generator, dtype=torch.float64) @ mean
    return (total / math.sqrt(means.numel())).tolist()
