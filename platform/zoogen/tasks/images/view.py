"""A classifier as a function of the flat vector that is generated, the rest of it fixed."""

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zoogen.errors import ZoogenError
from zoogen.weights.layout import ParameterLayout

_SMALLEST_VARIANCE = 1e-12


@dataclass(frozen=True)
class ClassifierView:
    """Which tensors of a module make the flat vector [D].

    Attributes:
        module: template in evaluation mode; its own values are never read where a state is given.
        layout: tensors by the module's own names. Running variances stand as natural logarithms, so that whatever is
            generated is a variance (p-diff's public code does the same).
    """

    module: nn.Module
    layout: ParameterLayout

    @classmethod
    def of(cls, module: nn.Module, patterns: tuple[str, ...], statistics: bool) -> "ClassifierView":
        """The view of the parameters that match any of the glob patterns, in the module's order.

        Args:
            statistics: whether the running statistics of normalisation layers with a matching parameter belong to it.

        Raises:
            ZoogenError: a pattern matches nothing; the nearest names are given.
        """
        shapes = {name: tuple(parameter.shape) for name, parameter in module.named_parameters()}
        chosen = ParameterLayout.of(shapes).subset(patterns).shapes
        wanted = dict(chosen)
        if statistics:
            layers = {name.rpartition(".")[0] for name in chosen}
            for name, buffer in module.named_buffers():
                layer, _, kind = name.rpartition(".")
                if kind in ("running_mean", "running_var") and layer in layers:
                    wanted[name] = tuple(buffer.shape)
        return cls(module.eval(), ParameterLayout.of(wanted))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.layout.shapes)

    def tensors(self, weights: Tensor) -> dict[str, Tensor]:
        """Flat weights [..., D] to tensors [..., *shape] by name, as the module takes them."""
        found = self.layout.unflatten(weights)
        return {name: value.exp() if _is_variance(name) else value for name, value in found.items()}

    def extract(self, state: Mapping[str, Tensor]) -> Tensor:
        """The flat vector [..., D] of a state (as `state_dict` gives it, or stacked with leading dimensions)."""
        chosen = {}
        for name in self.names:
            value = state[name].detach()
            chosen[name] = value.clamp_min(_SMALLEST_VARIANCE).log() if _is_variance(name) else value
        return self.layout.flatten(chosen).float()

    def has_statistics(self) -> bool:
        """Whether the module has layers with running statistics."""
        return any(name.endswith("running_mean") for name, _ in self.module.named_buffers())

    def require_finite(self, weights: Tensor) -> None:
        """Raises:
        ZoogenError: wrong length, or values that are not finite.
        """
        if weights.ndim != 2 or weights.shape[1] != self.layout.size:
            raise ZoogenError(f"weights have shape {list(weights.shape)}, these networks need [K, {self.layout.size}]")
        bad = (~torch.isfinite(weights).all(1)).nonzero().flatten()
        if len(bad):
            raise ZoogenError(f"{len(bad)} of {len(weights)} networks hold NaN or infinity, first {int(bad[0])}")


def _is_variance(name: str) -> bool:
    return fnmatch.fnmatchcase(name, "*running_var")
