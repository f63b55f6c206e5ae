"""Images as tensors: layouts of arrays, one size, one number of channels."""

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from zoogen.errors import ZoogenError

_LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's conversion to grey
_CHUNK = 1024  # images resized at once


def as_tensor(name: str, images: Any) -> Tensor:
    """Images [n, C, H, W] of arrays [n, H, W], [n, H, W, C] or [n, C, H, W], C being 1 or 3; uint8 or float32.

    Raises:
        ZoogenError: another shape, images of differing shapes, or values that are not finite.
    """
    if isinstance(images, list | tuple):
        shapes = list(dict.fromkeys(tuple(np.shape(image)) for image in images))
        if len(shapes) > 1:
            raise ZoogenError(
                f"data set {name}: images differ in size or channels ({list(shapes[0])} and {list(shapes[1])}); "
                "give all of them one shape"
            )
    array = array_of(images)
    if array.dtype.kind not in "buif":
        raise ZoogenError(f"data set {name}: images must be numbers, not {array.dtype}")
    with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite, which is refused below
        plain = array if array.dtype == np.uint8 else array.astype(np.float32)
    tensor = torch.from_numpy(np.ascontiguousarray(plain))
    if tensor.ndim == 3:
        tensor = tensor[:, None]
    elif tensor.ndim == 4 and tensor.shape[1] not in (1, 3) and tensor.shape[3] in (1, 3):
        tensor = tensor.permute(0, 3, 1, 2)
    if tensor.ndim != 4 or tensor.shape[1] not in (1, 3):
        raise ZoogenError(
            f"data set {name}: images have shape {list(array.shape)}; "
            "give [n, H, W], [n, H, W, C] or [n, C, H, W] with 1 or 3 channels"
        )
    if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
        raise ZoogenError(f"data set {name}: images hold NaN or infinity, or values beyond single precision")
    return tensor


def array_of(values: Any) -> NDArray[Any]:
    """Arrays, nested lists and tensors, wherever these are, as an array."""
    return np.asarray(values.detach().cpu() if isinstance(values, Tensor) else values)


def fitted(images: Tensor, size: int, channels: int) -> Tensor:
    """Images [n, C, H, W] as [n, channels, size, size] of the same type: bilinear with antialiasing, colour to grey by
    luminance, grey to colour by repeating."""
    if images.shape[1] == channels and images.shape[2:] == (size, size):
        return images
    out = torch.empty(len(images), channels, size, size, dtype=images.dtype)
    for start in range(0, len(images), _CHUNK):
        chunk = images[start : start + _CHUNK].float()
        if channels == 1 and chunk.shape[1] == 3:
            chunk = (chunk * torch.tensor(_LUMINANCE)[:, None, None]).sum(1, keepdim=True)
        if chunk.shape[2:] != (size, size):
            chunk = F.interpolate(chunk, (size, size), mode="bilinear", antialias=True)
        if not images.is_floating_point():
            chunk = chunk.round().clamp(0, 255)
        out[start : start + _CHUNK] = chunk.expand(-1, channels, -1, -1)
    return out


def moments(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation per channel of images [n, C, S, S], [C] float64 each; 1 for a constant channel."""
    total = torch.zeros(images.shape[1], dtype=torch.float64)
    squares = torch.zeros_like(total)
    for chunk in images.split(_CHUNK):
        values = chunk.double()
        total += values.sum((0, 2, 3))
        squares += values.square().sum((0, 2, 3))
    count = math.prod(images.shape) / images.shape[1]
    mean = total / count
    deviation = (squares / count - mean.square()).clamp_min(0).sqrt()
    return mean, torch.where(deviation > 1e-6 * mean.abs().clamp_min(1e-6), deviation, 1.0)
