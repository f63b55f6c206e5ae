"""Principal components as an autoencoder: fitted exactly, without a loop."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from zoogen.autoencoders.components import leading
from zoogen.autoencoders.flat import FlatAutoencoder
from zoogen.autoencoders.scaled_checkpoints import ScaledCheckpoints

_BLOCK = 2**24  # numbers (128 MiB in double precision) of the training rows that are worked on at a time


class LinearAutoencoder(FlatAutoencoder):
    """Scores of the first L principal components of the scaled training weights, and the plane that they span.

    Latents are scores in the order of their variance. R rows have at most R - 1 components that vary; the scores
    beyond them are zero. The components are L x P numbers, which is this kind's size: .3 GB for 256 at 300,000
    parameters, 2.6 GB for 64 at ten million.
    """

    mean: Tensor
    components: Tensor

    def __init__(self, length: int, latent: int):
        super().__init__(length, latent)
        self.register_buffer("mean", torch.zeros(length))
        self.register_buffer("components", torch.zeros(latent, length))

    def encode_vectors(self, vectors: Tensor) -> Tensor:
        return (vectors - self.mean) @ self.components.T

    def decode_vectors(self, latents: Tensor) -> Tensor:
        return latents @ self.components + self.mean

    def prepare(self, rows: ScaledCheckpoints) -> Mapping[str, float]:
        """The whole fit.

        Returns:
            `loss`, the mean squared error of the reconstructed rows, the share `explained` of the variance that the
            components hold, and how many `components` vary.
        """
        directions = _directions(rows, self.latent)
        for start, block in _blocks(rows):
            mean = block.mean(0)
            stop = start + block.shape[1]
            self.mean[start:stop] = mean
            self.components[: directions.count, start:stop] = directions.components(block - mean, start)
        total, held = directions.total, directions.held
        return {
            "loss": max(total - held, 0.0) / (len(rows) * rows.length),
            "explained": held / total if total > 0 else 1.0,
            "components": float(directions.count),
        }


@dataclass(frozen=True)
class _Directions:
    """Leading eigenvectors of the smaller of the two product matrices of the centred rows X [R, P].

    Attributes:
        vectors: [R or P, n], of X Xᵀ or Xᵀ X.
        values: singular values of X, [n].
        of_rows: whether the vectors are those of X Xᵀ, combinations of rows.
        total: sum of squares of X.
    """

    vectors: Tensor
    values: Tensor
    of_rows: bool
    total: float

    @property
    def count(self) -> int:
        return len(self.values)

    @property
    def held(self) -> float:
        """Sum of squares of X within the components."""
        return self.values.square().sum().item()

    def components(self, block: Tensor, start: int) -> Tensor:
        """Principal axes [n, C] of the centred columns [R, C] that begin at `start`."""
        if self.of_rows:
            return ((self.vectors / self.values).T @ block).float()
        return self.vectors[start : start + block.shape[1]].T.float()


def _directions(rows: ScaledCheckpoints, latent: int) -> _Directions:
    """From the Gram matrix where rows are fewer than coordinates, else from the covariance; in double precision."""
    of_rows = len(rows) <= rows.length
    if of_rows:
        product = torch.zeros(len(rows), len(rows), dtype=torch.float64, device=rows.device)
        for _, block in _blocks(rows):
            centred = block - block.mean(0)
            product += centred @ centred.T
    else:
        whole = rows.columns(0, rows.length).double()
        whole -= whole.mean(0)
        product = whole.T @ whole
    vectors, values = leading(product, min(latent, len(rows) - 1))
    return _Directions(vectors, values, of_rows, product.trace().item())


def _blocks(rows: ScaledCheckpoints) -> Iterator[tuple[int, Tensor]]:
    """Pairs (first column, columns [R, C] in double precision) that cover all coordinates."""
    width = max(1, _BLOCK // len(rows))
    for start in range(0, rows.length, width):
        yield start, rows.columns(start, min(start + width, rows.length)).double()
