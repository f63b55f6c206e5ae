"""Divergences between distributions over the same states, in nats."""

import torch
from torch import Tensor


def divergence_terms(p: Tensor, q: Tensor) -> dict[str, Tensor]:
    """What states add to JS, KL(p ‖ q) and total variation of p [S] and q [K, S], summed over them, each [K].

    States may come in parts: the terms of all parts add up to the divergences, which `clipped_at_zero` completes.
    """
    middle = (p + q) / 2
    log_middle = torch.where(middle > 0, middle, 1.0).log()
    entropy = torch.special.xlogy(p, p)
    js = 0.5 * (entropy + torch.special.xlogy(q, q) - (p + q) * log_middle).sum(1)
    return {"js": js, "kl": (entropy - torch.special.xlogy(p, q)).sum(1), "tv": 0.5 * (p - q).abs().sum(1)}


def clipped_at_zero(terms: dict[str, Tensor]) -> dict[str, Tensor]:
    """The divergences of summed terms: rounding takes those of nearly equal distributions below zero."""
    return {name: values.clamp(min=0) for name, values in terms.items()}
