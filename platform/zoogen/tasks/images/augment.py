"""Augmentation of training images as random affine crops, seeded, a batch at a time."""

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

Augmentation = Literal["none", "shift", "crop"]

_SHIFT = 1 / 8  # of the edge
_AREA = (0.08, 1.0)  # of a crop, as a share of the image
_RATIO = (3 / 4, 4 / 3)  # of a crop's width to its height


def crops(kind: Augmentation, count: int, size: int, generator: torch.Generator) -> Tensor:
    """Random affine maps [count, 2, 3] from output to input coordinates (both −1 … 1), as `affine_grid` takes them.

    `shift` moves an image by whole pixels, up to an eighth of its edge (at least one) each way. `crop` draws area and
    ratio as torchvision's RandomResizedCrop does by default; a crop that is longer than the image is cut to it, where
    torchvision draws again.
    """
    draws = torch.rand(4, count, generator=generator)
    if kind == "shift":
        reach = max(1, int(size * _SHIFT))
        width = height = torch.ones(count)
        across, down = (torch.floor(draws[2:] * (2 * reach + 1)) - reach) * 2 / size
    else:
        area = _AREA[0] + (_AREA[1] - _AREA[0]) * draws[0]
        low, high = (math.log(ratio) for ratio in _RATIO)
        ratio = torch.exp(low + (high - low) * draws[1])
        width, height = torch.sqrt(area * ratio).clamp(max=1), torch.sqrt(area / ratio).clamp(max=1)
        across, down = (1 - width) * (2 * draws[2] - 1), (1 - height) * (2 * draws[3] - 1)
    zero = torch.zeros(count)
    return torch.stack([torch.stack([width, zero, across], 1), torch.stack([zero, height, down], 1)], 1)


def cropped(images: Tensor, maps: Tensor) -> Tensor:
    """Images [..., C, S, S] seen through affine maps [..., 2, 3]: bilinear, the border repeated outside."""
    flat = images.flatten(0, -4)
    grid = affine_grid(maps.flatten(0, -3), list(flat.shape), align_corners=False)
    return grid_sample(flat, grid, padding_mode="border", align_corners=False).view_as(images)
