"""Weights that a generator has to be compared with, from the zoo's checkpoints alone.

Zeng et al. 2025, "Generative Modeling of Weights: Generalization or Memorization?", show that published
generators match averages of checkpoints and per-tensor Gaussians; hence these.
"""

import torch
from torch import Tensor

from zoogen.weights.layout import ParameterLayout


def draw(rows: int, count: int, seed: int) -> Tensor:
    """Indices of `count` of `rows` rows in seeded random order without repetition; all rows if there are fewer."""
    return torch.randperm(rows, generator=torch.Generator().manual_seed(seed))[:count]


def last_of_each_run(runs: Tensor, steps: Tensor) -> Tensor:
    """Index of the latest checkpoint of every run, in the order of the runs.

    Args:
        runs: run of each checkpoint, [R].
        steps: training step of each checkpoint, [R].
    """
    indices = []
    for run in torch.unique(runs):
        rows = (runs == run).nonzero().flatten()
        indices.append(rows[steps[rows].argmax()])
    return torch.stack(indices)


def average_of(weights: Tensor, runs: Tensor, k: int, count: int, seed: int) -> Tensor | None:
    """Means of k checkpoints of k different runs, drawn anew for each of `count` networks.

    Where there are fewer than k runs (a zoo of one long run), k different checkpoints are averaged whatever
    their run; None if there are fewer than k of those, too.

    Args:
        weights: [R, D].
        runs: run of each checkpoint, [R].

    Returns:
        [count, D] in new memory, or None.
    """
    groups = [(runs == run).nonzero().flatten() for run in torch.unique(runs)]
    if len(groups) < k:
        groups = list(torch.arange(len(runs)).split(1))
    if len(groups) < k:
        return None
    generator = torch.Generator().manual_seed(seed)
    means = torch.empty(count, weights.shape[1], dtype=weights.dtype)
    for row in range(count):
        chosen = torch.randperm(len(groups), generator=generator)[:k].tolist()
        members = [groups[g][torch.randint(len(groups[g]), (), generator=generator)] for g in chosen]
        # Indexing copies, so the zoo's own rows stay as they are; float64 keeps the sum exact to rounding.
        means[row] = weights[torch.stack(members)].double().mean(0).to(weights.dtype)
    return means


def random_like(layout: ParameterLayout, weights: Tensor, count: int, seed: int) -> Tensor:
    """Gaussian weights [count, D] with each tensor's mean and standard deviation over all of `weights` [R, D]."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(count, layout.size, generator=generator, dtype=weights.dtype)
    for entry in layout.entries:
        columns = slice(entry.offset, entry.offset + entry.size)
        values = weights[:, columns].double()
        drawn[:, columns] = drawn[:, columns] * values.std(unbiased=False).to(drawn) + values.mean().to(drawn)
    return drawn
