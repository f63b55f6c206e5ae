"""Bringing flat weights to unit scale, and back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.weights.layout import ParameterLayout

ScalingKind = Literal["none", "global", "tensor"]

_ALL = "*"  # the key of the one statistic of kind `global`
_SMALLEST_STD = 1e-8  # a tensor that never varies is only shifted


@dataclass(frozen=True)
class WeightScaler:
    """Affine scaling of flat weights by statistics of training checkpoints.

    Kind `tensor` keeps one mean and standard deviation per parameter name, pooled over all structures, so that it
    applies to structures that were never seen as long as their parameters bear the same names; `global` keeps one
    pair for everything; `none` changes nothing.

    Example:
        >>> layout = ParameterLayout.of({"weight": (2, 3), "bias": (2,)})
        >>> scaler = WeightScaler.fit("tensor", [(layout, torch.randn(100, 8))])
        >>> scaler.scale(layout, torch.randn(5, 8)).shape
        torch.Size([5, 8])
    """

    kind: ScalingKind
    statistics: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # name to (mean, standard deviation)

    @classmethod
    def fit(cls, kind: ScalingKind, checkpoints: Iterable[tuple[ParameterLayout, Tensor]]) -> "WeightScaler":
        """Statistics of flat weights [R, D], each with its layout.

        Raises:
            ZoogenError: there are no weights to take statistics of.
        """
        if kind == "none":
            return cls(kind)
        moments: dict[str, list[float]] = {}  # name to [count, sum, sum of squares], in double precision
        for layout, weights in checkpoints:
            for name, tensor in layout.unflatten(weights).items():
                key, values = (name if kind == "tensor" else _ALL), tensor.double()
                entry = moments.setdefault(key, [0.0, 0.0, 0.0])
                entry[0] += values.numel()
                entry[1] += values.sum().item()
                entry[2] += values.square().sum().item()
        if not any(count for count, _, _ in moments.values()):
            raise ZoogenError("weight scaling has no checkpoints to fit; choose a zoo with training runs")
        statistics = {}
        for key, (count, total, squares) in moments.items():
            mean = total / count
            std = max(squares / count - mean**2, 0.0) ** 0.5
            statistics[key] = (mean, std if std > _SMALLEST_STD else 1.0)
        return cls(kind, statistics)

    def scale(self, layout: ParameterLayout, flat: Tensor) -> Tensor:
        """Flat weights [..., D] to scaled weights [..., D].

        Raises:
            ZoogenError: wrong length, or a parameter name that the statistics lack.
        """
        mean, std = self._vectors_for(layout, flat)
        return (flat - mean) / std

    def unscale(self, layout: ParameterLayout, flat: Tensor) -> Tensor:
        """The inverse of `scale`."""
        mean, std = self._vectors_for(layout, flat)
        return flat * std + mean

    def to_state(self) -> dict[str, Any]:
        """JSON-like state."""
        return {"kind": self.kind, "statistics": {name: list(pair) for name, pair in self.statistics.items()}}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "WeightScaler":
        """The scaler of a state made by `to_state`.

        Raises:
            ZoogenError: the state is malformed.
        """
        try:
            kind, statistics = state["kind"], {n: (float(m), float(s)) for n, (m, s) in state["statistics"].items()}
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ZoogenError("the weight scaler's state is malformed; train the autoencoder again") from None
        if kind not in get_args(ScalingKind):
            raise ZoogenError(f"weight scaling {kind!r} is unknown; expected one of {', '.join(get_args(ScalingKind))}")
        return cls(kind, statistics)

    def vectors(self, layout: ParameterLayout, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
        """Mean [D] and standard deviation [D] of a layout's coordinates.

        Raises:
            ZoogenError: the statistics lack a parameter name, or the layout.
        """
        pairs = [self._pair(entry.name) for entry in layout.entries]
        sizes = torch.tensor([entry.size for entry in layout.entries])
        vectors = torch.tensor(pairs, dtype=torch.float64).reshape(-1, 2).repeat_interleave(sizes, dim=0)
        mean, std = vectors.to(dtype).unbind(-1)
        return mean, std

    def _vectors_for(self, layout: ParameterLayout, flat: Tensor) -> tuple[Tensor, Tensor]:
        """The vectors on the device and in the precision of `flat` [..., D]."""
        if flat.shape[-1] != layout.size:
            raise ZoogenError(f"flat weights have length {flat.shape[-1]}, the layout needs {layout.size}")
        mean, std = self.vectors(layout, flat.dtype)
        return mean.to(flat.device), std.to(flat.device)

    def _pair(self, name: str) -> tuple[float, float]:
        if self.kind == "none":
            return 0.0, 1.0
        try:
            return self.statistics[name if self.kind == "tensor" else _ALL]
        except KeyError:
            known = ", ".join(self.statistics)
            raise ZoogenError(f"no scaling statistics for parameter {name}; the training zoo had {known}") from None
