"""Similarity of classifiers by the images that they get wrong (p-diff, equation 7)."""

import torch
from torch import Tensor


def overlap_of_errors(first: Tensor, second: Tensor) -> Tensor:
    """IoU of wrong predictions: the images that both get wrong among those that any of the two gets wrong.

    Two networks without any error agree on every image: 1.

    Args:
        first, second: wrong predictions [K, X] and [R, X] on the same images, 0 or 1.

    Returns:
        [K, R] float64 in [0, 1].

    Example:
        >>> overlap_of_errors(torch.tensor([[1.0, 1, 0]]), torch.tensor([[1.0, 0, 0], [0, 0, 1]]))
        tensor([[0.5000, 0.0000]], dtype=torch.float64)
    """
    both = (first.float() @ second.float().T).double()  # whole numbers below 2^24: exact
    either = first.sum(1, dtype=torch.float64)[:, None] + second.sum(1, dtype=torch.float64)[None] - both
    return torch.where(either > 0, both / either.clamp_min(1), 1.0)
