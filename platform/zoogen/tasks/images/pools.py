"""Maximum pooling without overlaps, equal to torch's and many times faster on the CPU for few channels.

torch's kernel for images in channel order goes value by value; maxima of rows, then of columns, use whole vectors.
"""

import torch
from torch import Tensor, nn

from zoogen.tasks.images.trace import Forward


def faster_pools(module: nn.Module) -> dict[nn.Module, Forward]:
    """Forward functions for those maximum poolings of a module whose windows neither overlap nor reach over the edge.

    Gradients differ where a window holds its maximum more than once.
    """
    pools = [layer for layer in module.modules() if type(layer) is nn.MaxPool2d]
    windows = {layer: _window(layer) for layer in pools}
    return {layer: _forward(*window) for layer, window in windows.items() if window is not None}


def _window(layer: nn.MaxPool2d) -> tuple[int, int] | None:
    """Height and width, None if torch has to pool itself."""
    kernel, stride = _pair(layer.kernel_size), _pair(layer.stride)
    plain = _pair(layer.padding) == (0, 0) and _pair(layer.dilation) == (1, 1)
    return kernel if plain and kernel == stride and not (layer.ceil_mode or layer.return_indices) else None


def _pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _forward(height: int, width: int) -> Forward:
    return lambda images: _maxima(_maxima(images, height, -2), width, -1)


def _maxima(values: Tensor, window: int, axis: int) -> Tensor:
    count = values.shape[axis] // window
    parts = [_strided(values, axis, offset, window, count) for offset in range(window)]
    found = parts[0]
    for part in parts[1:]:
        found = torch.maximum(found, part)
    return found


def _strided(values: Tensor, axis: int, offset: int, step: int, count: int) -> Tensor:
    rows = slice(offset, offset + step * count, step)
    return values[..., rows, :] if axis == -2 else values[..., rows]
