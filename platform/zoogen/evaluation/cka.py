"""Similarity of representations: linear centered kernel alignment (Kornblith et al. 2019)."""

from collections.abc import Mapping

import torch
from torch import Tensor

from zoogen.errors import ZoogenError


def cka(first: Tensor, second: Tensor, unbiased: bool = False) -> Tensor:
    """Linear CKA of two representations of the same n inputs, in [0, 1]: 1 for equal ones up to rotation and scale.

    ‖Yᵀ X‖² / (‖Xᵀ X‖ ‖Yᵀ Y‖) in Frobenius norms with centred columns, in feature space (Kornblith et al. 2019,
    section 3). The unbiased one replaces HSIC by its estimator HSIC₁ (Song et al. 2012, equation 5; Nguyen et al.
    2021), which does not rise with the width; it may be slightly negative.

    Args:
        first, second: [..., n, a] and [..., n, b] with equal leading dimensions.
        unbiased: whether to use HSIC₁, which needs n >= 4.

    Returns:
        [...] float64; NaN where a representation is the same for all inputs.

    Raises:
        ZoogenError: different numbers of inputs, or too few.

    Example:
        >>> x = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
        >>> round(cka(x, 3 * x[:, [1, 0]]).item(), 6)
        1.0
    """
    if first.shape[:-1] != second.shape[:-1]:
        raise ZoogenError(f"representations of {list(first.shape)} and {list(second.shape)} are not of the same inputs")
    least = 4 if unbiased else 2
    if first.shape[-2] < least:
        raise ZoogenError(f"CKA needs at least {least} inputs, not {first.shape[-2]}")
    x, y = _centred(first), _centred(second)
    dependence = _unbiased_hsic if unbiased else _hsic
    return dependence(x, y) / (dependence(x, x) * dependence(y, y)).sqrt()


def layer_similarity(first: Mapping[str, Tensor], second: Mapping[str, Tensor], unbiased: bool = False) -> Tensor:
    """CKA of every layer of K networks with every layer of K others, network by network: [K, layers, layers].

    Args:
        first, second: layer to its outputs [K, n, width] on n inputs that correspond.
    """
    rows = [torch.stack([cka(x, y, unbiased) for y in second.values()], dim=-1) for x in first.values()]
    return torch.stack(rows, dim=-2)


def _centred(values: Tensor) -> Tensor:
    values = values.double()
    return values - values.mean(-2, keepdim=True)


def _hsic(x: Tensor, y: Tensor) -> Tensor:
    return (x.transpose(-1, -2) @ y).square().sum((-1, -2))


def _unbiased_hsic(x: Tensor, y: Tensor) -> Tensor:
    n = x.shape[-2]
    k, m = (_without_diagonal(v @ v.transpose(-1, -2)) for v in (x, y))
    trace = (k * m).sum((-1, -2))  # both are symmetric
    totals = k.sum((-1, -2)) * m.sum((-1, -2)) / ((n - 1) * (n - 2))
    rows = (k.sum(-1) * m.sum(-1)).sum(-1) * 2 / (n - 2)
    return (trace + totals - rows) / (n * (n - 3))


def _without_diagonal(gram: Tensor) -> Tensor:
    return gram - torch.diag_embed(gram.diagonal(dim1=-2, dim2=-1))
