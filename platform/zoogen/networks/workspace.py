"""Reusable memory for the inner loops of stacked training."""

import math

import torch
from torch import Tensor


class Workspace:
    """Buffers that live as long as the training: fresh pages each iteration cost as much as the arithmetic."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._buffers: dict[str, Tensor] = {}

    def take(self, name: str, shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
        """An uninitialised tensor of this shape; the same memory whenever the name is asked for."""
        size = math.prod(shape)
        buffer = self._buffers.get(name)
        if buffer is None or buffer.numel() < size:
            buffer = self._buffers[name] = torch.empty(size, dtype=dtype, device=self.device)
        return buffer[:size].view(shape)
