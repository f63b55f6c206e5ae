"""Weights that a generator has to be compared with, from the zoo's checkpoints alone.

Zeng et al. 2025, "Generative Modeling of Weights: Generalization or Memorization?", show that published
generators match averages of checkpoints and Gaussians around them; hence these. Every function works on
tensors alone, draws from one seed and gives new memory.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from zoogen.evaluation.distances import weight_distances
from zoogen.evaluation.moments import BLOCK_VALUES, column_blocks, column_mean, column_moments, moments
from zoogen.evaluation.sources import Checkpoints
from zoogen.seeds import seeded_generator
from zoogen.weights.layout import ParameterLayout


def draw(rows: int, count: int, seed: int) -> Tensor:
    """Indices of `count` of `rows` rows in seeded random order without repetition; all rows if there are fewer."""
    return torch.randperm(rows, generator=seeded_generator(seed))[:count]


def draw_repeated(rows: int, count: int, seed: int) -> Tensor:
    """Indices [count] of `rows` rows in seeded random order; all are used equally often, but for a remainder."""
    generator = seeded_generator(seed)
    rounds = -(-count // rows)
    return torch.cat([torch.randperm(rows, generator=generator) for _ in range(rounds)])[:count]


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


def last_checkpoints(parts: Sequence[Checkpoints]) -> Tensor:
    """Weights of the latest checkpoint of every run, [R, D]: what conventional training ends with."""
    return torch.cat([part.weights[last_of_each_run(part.runs, part.steps)] for part in parts])


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
    generator = seeded_generator(seed)
    means = torch.empty(count, weights.shape[1], dtype=weights.dtype)
    for row in range(count):
        chosen = torch.randperm(len(groups), generator=generator)[:k].tolist()
        members = [groups[g][torch.randint(len(groups[g]), (), generator=generator)] for g in chosen]
        # Indexing copies, so the zoo's own rows stay as they are; float64 keeps the sum exact to rounding.
        means[row] = weights[torch.stack(members)].double().mean(0).to(weights.dtype)
    return means


def gaussian(weights: Tensor, count: int, seed: int) -> Tensor:
    """Weights [count, D], each from its own normal distribution: mean and standard deviation over rows [R, D]."""
    mean, std = column_moments(weights)
    drawn = torch.randn(count, weights.shape[1], generator=seeded_generator(seed), dtype=weights.dtype)
    return mean.to(drawn) + std.to(drawn) * drawn


def pca_gaussian(weights: Tensor, components: int, count: int, seed: int) -> Tensor:
    """A normal distribution along the first principal components of rows [R, D]; what lies beside them is dropped.

    Args:
        components: how many; at most R - 1 and D are used.

    Returns:
        [count, D].
    """
    mean = column_mean(weights)
    spread_of = _spread_directly if weights.numel() <= BLOCK_VALUES else _spread_by_products
    count_of_axes = min(len(weights), weights.shape[1])
    used = max(1, min(components, len(weights) - 1, count_of_axes))
    along = torch.randn(count, used, generator=seeded_generator(seed), dtype=torch.float64)
    return (mean + spread_of(weights, mean, along)).to(weights.dtype)


def _spread_directly(weights: Tensor, mean: Tensor, along: Tensor) -> Tensor:
    """Standard normal coordinates [K, C] along the first components, in units of the rows' spread, as [K, D]."""
    _, singular, directions = torch.linalg.svd(weights.double() - mean, full_matrices=False)
    used = along.shape[1]
    return (along * (singular[:used] / len(weights) ** 0.5)) @ directions[:used]


def _spread_by_products(weights: Tensor, mean: Tensor, along: Tensor) -> Tensor:
    """The same, up to the signs of the components, from the inner products of the rows [R, R]: with X = U S V,
    S V = Uᵀ X, so that no factor of the size of the rows is held."""
    rows, blocks = len(weights), column_blocks(weights)
    products = torch.zeros(rows, rows, dtype=torch.float64)
    for columns in blocks:
        centred = weights[:, columns].double().sub_(mean[columns])
        products += centred @ centred.T
    left = torch.linalg.eigh(products).eigenvectors.flip(1)[:, : along.shape[1]]
    mixed, spread = along @ left.T / rows**0.5, torch.empty(len(along), weights.shape[1], dtype=torch.float64)
    for columns in blocks:
        spread[:, columns] = mixed @ weights[:, columns].double().sub_(mean[columns])
    return spread


def noisy(layout: ParameterLayout, weights: Tensor, scale: float, count: int, seed: int) -> Tensor:
    """Rows of [R, D], each used equally often, plus `scale` times their tensor's standard deviation times noise.

    Returns:
        [count, D]. The same seed draws the same rows and the same noise at every scale.
    """
    drawn = weights[draw_repeated(len(weights), count, seed)]
    noise = torch.randn(drawn.shape, generator=seeded_generator(seed), dtype=weights.dtype)
    _, std = _tensor_moments(layout, weights)
    return drawn + scale * std * noise


def random_like(layout: ParameterLayout, weights: Tensor, count: int, seed: int) -> Tensor:
    """Gaussian weights [count, D] with each tensor's mean and standard deviation over all of `weights` [R, D]."""
    drawn = torch.randn(count, layout.size, generator=seeded_generator(seed), dtype=weights.dtype)
    mean, std = _tensor_moments(layout, weights)
    return mean + std * drawn


def kernel_density(latents: Tensor, bandwidth: float, count: int, seed: int) -> Tensor:
    """Samples of a Gaussian kernel density estimate of latents [R, L] (after Schürholt et al. 2022).

    A sample is a latent plus noise; the noise of all dimensions comes from one generator, so that they are
    independent of one another.

    Args:
        bandwidth: standard deviation of the noise, in standard deviations of each dimension over the latents.

    Returns:
        [count, L].
    """
    rows, dimensions = latents.shape
    generator = seeded_generator(seed)
    chosen = torch.randint(rows, (count,), generator=generator)
    noise = torch.randn(count, dimensions, generator=generator, dtype=latents.dtype)
    return latents[chosen] + bandwidth * latents.std(0, unbiased=False) * noise


def nearest_rows(weights: Tensor, others: Tensor) -> Tensor:
    """Index [K] of the row of `others` [R, D] that is nearest to each row of `weights` [K, D]."""
    return weight_distances(weights, others).argmin(1)


def _tensor_moments(layout: ParameterLayout, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the values of each tensor over all rows [R, D], each [D]."""
    mean, std = torch.empty(layout.size), torch.empty(layout.size)
    for entry in layout.entries:
        columns = slice(entry.offset, entry.offset + entry.size)
        mean[columns], std[columns] = moments(weights[:, columns])
    return mean.to(weights.dtype), std.to(weights.dtype)
