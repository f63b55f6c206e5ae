"""Bringing flat weights to unit scale, and back."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import torch
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.identity import digest
from zoogen.shown import shown
from zoogen.weights.layout import ParameterLayout
from zoogen.weights.scaling_kind import ScalingKind

_ALL = "*"  # the key of the one statistic of kind `global`
_SMALLEST_STD = 1e-8  # what never varies is only shifted
_NOTHING = "weight scaling has no checkpoints to fit; choose a zoo with training runs"
_BLOCK = 2**22  # numbers that are taken to double precision at a time


@dataclass(frozen=True, eq=False)
class WeightScaler:
    """Affine scaling of flat weights by statistics of training checkpoints.

    Kind `tensor` keeps one mean and standard deviation per parameter name, pooled over all structures, so that it
    applies to structures that were never seen as long as their parameters bear the same names; `global` keeps one
    pair for everything; `none` changes nothing. Kind `coordinate` keeps one pair per coordinate and layout, pooled
    over the structures of that layout: networks of one trajectory differ by little, and differently everywhere.

    Attributes:
        kind: what shares a mean and a standard deviation.
        statistics: parameter name (`*` for all) to (mean, standard deviation); kinds `tensor` and `global`.
        tensors: digest of a layout to means and standard deviations [2, D] float32; kind `coordinate`. They are the
            part of the state that belongs in tensors rather than JSON.

    Example:
        >>> layout = ParameterLayout.of({"weight": (2, 3), "bias": (2,)})
        >>> scaler = WeightScaler.fit("tensor", [(layout, torch.randn(100, 8))])
        >>> scaler.scale(layout, torch.randn(5, 8)).shape
        torch.Size([5, 8])
    """

    kind: ScalingKind
    statistics: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    tensors: Mapping[str, Tensor] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, WeightScaler):
            return NotImplemented
        same = (self.kind, self.statistics, set(self.tensors)) == (other.kind, other.statistics, set(other.tensors))
        return same and all(torch.equal(tensor, other.tensors[key]) for key, tensor in self.tensors.items())

    @classmethod
    def fit(cls, kind: ScalingKind, checkpoints: Iterable[tuple[ParameterLayout, Tensor]]) -> "WeightScaler":
        """Statistics of flat weights [R, D], each with its layout.

        Raises:
            ZoogenError: there are no weights to take statistics of.
        """
        if kind == "none":
            return cls(kind)
        if kind == "coordinate":
            return cls(kind, tensors=_coordinate_statistics(checkpoints))
        moments: dict[str, list[float]] = {}  # name to [count, sum, sum of squares], in double precision
        for layout, weights in checkpoints:
            for name, tensor in layout.unflatten(weights).items():
                key, values = (name if kind == "tensor" else _ALL), tensor.double()
                entry = moments.setdefault(key, [0.0, 0.0, 0.0])
                entry[0] += values.numel()
                entry[1] += values.sum().item()
                entry[2] += values.square().sum().item()
        if not any(count for count, _, _ in moments.values()):
            raise ZoogenError(_NOTHING)
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
        """JSON-like state; `tensors` is the rest of it."""
        return {"kind": self.kind, "statistics": {name: list(pair) for name, pair in self.statistics.items()}}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], tensors: Mapping[str, Tensor] | None = None) -> "WeightScaler":
        """The scaler of a state made by `to_state` and its tensors.

        Raises:
            ZoogenError: the state is malformed.
        """
        try:
            kind, statistics = state["kind"], {n: (float(m), float(s)) for n, (m, s) in state["statistics"].items()}
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ZoogenError("the weight scaler's state is malformed; train the autoencoder again") from None
        if kind not in get_args(ScalingKind):
            raise ZoogenError(
                f"weight scaling {shown(kind)} is unknown; expected one of {', '.join(get_args(ScalingKind))}"
            )
        return cls(kind, statistics, dict(tensors or {}))

    def vectors(self, layout: ParameterLayout, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
        """Mean [D] and standard deviation [D] of a layout's coordinates.

        Raises:
            ZoogenError: the statistics lack a parameter name, or the layout.
        """
        if self.kind == "coordinate":
            return self._of_layout(layout, dtype)
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

    def _of_layout(self, layout: ParameterLayout, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        try:
            mean, std = self.tensors[_key(layout)].to(dtype).unbind(0)
        except KeyError:
            known = ", ".join(f"{statistics.shape[1]}" for statistics in self.tensors.values())
            raise ZoogenError(
                f"no scaling statistics for the coordinates of a layout with {layout.size} weights; the zoo had "
                f"layouts with {known}: train on this structure too, or set autoencoder.scaling to tensor"
            ) from None
        return mean, std

    def _pair(self, name: str) -> tuple[float, float]:
        if self.kind == "none":
            return 0.0, 1.0
        try:
            return self.statistics[name if self.kind == "tensor" else _ALL]
        except KeyError:
            known = ", ".join(self.statistics)
            raise ZoogenError(f"no scaling statistics for parameter {name}; the training zoo had {known}") from None


def _key(layout: ParameterLayout) -> str:
    return digest([[name, list(shape)] for name, shape in layout.shapes.items()])


def _coordinate_statistics(checkpoints: Iterable[tuple[ParameterLayout, Tensor]]) -> dict[str, Tensor]:
    """Means and standard deviations [2, D] over all rows of each layout, by the layout's key."""
    groups: dict[str, list[Tensor]] = defaultdict(list)
    for layout, weights in checkpoints:
        if len(weights):
            groups[_key(layout)].append(weights)
    if not groups:
        raise ZoogenError(_NOTHING)
    return {key: _moments(group) for key, group in groups.items()}


def _moments(group: Sequence[Tensor]) -> Tensor:
    """Means and standard deviations [2, D] float32 of the rows of tensors [R, D]; 1 where nothing varies."""
    count, size = sum(map(len, group)), group[0].shape[1]
    result = torch.empty(2, size)
    width = max(1, _BLOCK // count)
    for start in range(0, size, width):
        block = torch.cat([weights[:, start : start + width] for weights in group]).double()
        std, mean = torch.std_mean(block, dim=0, correction=0)
        result[0, start : start + width] = mean
        result[1, start : start + width] = torch.where(std > _SMALLEST_STD, std, 1.0)
    return result
