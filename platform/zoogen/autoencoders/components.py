"""Principal components from the smaller of the two product matrices, in double precision."""

import torch
from torch import Tensor

_SMALLEST_SHARE = 1e-6  # components that vary less than this share of the first are rounding errors of float32


def leading(product: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Eigenvectors [N, n] and roots of the eigenvalues [n] of X Xᵀ or Xᵀ X [N, N], largest first.

    Of X centred over R rows at most R - 1 differ from zero: those, and at most `most`, are given. Eigenvectors have
    no sign of their own: their largest entry is positive, so that repetitions agree.
    """
    values, vectors = torch.linalg.eigh(product)
    values, vectors = values.flip(0).clamp_min(0).sqrt(), vectors.flip(1)
    count = min(most, int((values > _SMALLEST_SHARE * values[0]).sum()))
    if count == 0:
        return vectors[:, :0], values[:0]
    vectors = vectors[:, :count]
    signs = vectors.gather(0, vectors.abs().argmax(0, keepdim=True)).sign()
    return vectors * signs, values[:count]


def principal_axes(centred: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Principal axes [n, S] and singular values [n] of centred rows [R, S] in double precision."""
    rows, size = centred.shape
    most = min(most, rows - 1)
    if rows <= size:
        vectors, values = leading(centred @ centred.T, most)
        return (vectors / values).T @ centred, values
    vectors, values = leading(centred.T @ centred, most)
    return vectors.T, values
