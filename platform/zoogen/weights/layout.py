"""The layout of a network's parameters in one flat vector."""

import difflib
import fnmatch
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.shown import shown

_SHOWN = 5  # parameter names in a message


@dataclass(frozen=True)
class ParameterEntry:
    """One tensor: its name, its shape and where it begins in the flat vector."""

    name: str
    shape: tuple[int, ...]
    offset: int

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class ParameterLayout:
    """Names, shapes and offsets of the tensors that make up a flat vector of length `size`.

    Example:
        >>> layout = ParameterLayout.of({"weight": (2, 3), "bias": (2,)})
        >>> layout.size
        8
        >>> layout.unflatten(torch.arange(8.0))["bias"]
        tensor([6., 7.])
    """

    entries: tuple[ParameterEntry, ...]

    @classmethod
    def of(cls, shapes: Mapping[str, Sequence[int]]) -> "ParameterLayout":
        """Layout of tensors in the order of `shapes`."""
        entries, offset = [], 0
        for name, shape in shapes.items():
            entries.append(ParameterEntry(name, tuple(shape), offset))
            offset += entries[-1].size
        return cls(tuple(entries))

    @property
    def size(self) -> int:
        """Length D of the flat vector."""
        return self.entries[-1].offset + self.entries[-1].size if self.entries else 0

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {entry.name: entry.shape for entry in self.entries}

    def flatten(self, tensors: Mapping[str, Tensor]) -> Tensor:
        """Tensors [..., *shape] by name to one tensor [..., D].

        Raises:
            ZoogenError: a tensor is missing, unexpected or of the wrong shape.
        """
        if set(tensors) != set(self.shapes):
            missing, extra = set(self.shapes) - set(tensors), set(tensors) - set(self.shapes)
            raise ZoogenError(f"tensors do not match the layout: missing {sorted(missing)}, unexpected {sorted(extra)}")
        parts, batch = [], None
        for entry in self.entries:
            tensor = tensors[entry.name]
            rank = tensor.ndim - len(entry.shape)
            if rank < 0 or tuple(tensor.shape[rank:]) != entry.shape:
                raise ZoogenError(f"{entry.name} has shape {list(tensor.shape)}, expected {['...', *entry.shape]}")
            if batch is not None and tensor.shape[:rank] != batch:
                raise ZoogenError(f"{entry.name} has batch shape {list(tensor.shape[:rank])}, others {list(batch)}")
            batch = tensor.shape[:rank]
            parts.append(tensor.reshape(*batch, entry.size))
        return torch.cat(parts, dim=-1)

    def unflatten(self, flat: Tensor) -> dict[str, Tensor]:
        """A tensor [..., D] to views [..., *shape] by name.

        Raises:
            ZoogenError: the last dimension is not D.
        """
        if flat.shape[-1] != self.size:
            raise ZoogenError(f"flat weights have length {flat.shape[-1]}, the layout needs {self.size}")
        return {
            entry.name: flat[..., entry.offset : entry.offset + entry.size].reshape(*flat.shape[:-1], *entry.shape)
            for entry in self.entries
        }

    def subset(self, patterns: Sequence[str]) -> "ParameterLayout":
        """Layout of the entries whose names match any of the glob patterns, offsets renewed.

        Raises:
            ZoogenError: a pattern matches nothing.
        """
        for pattern in patterns:
            if not any(fnmatch.fnmatchcase(entry.name, pattern) for entry in self.entries):
                raise ZoogenError(f"pattern {shown(pattern)} matches no parameter; {self._nearest(pattern)}")
        return ParameterLayout.of(
            {e.name: e.shape for e in self.entries if any(fnmatch.fnmatchcase(e.name, p) for p in patterns)}
        )

    def _nearest(self, pattern: str) -> str:
        """The names that a mistyped pattern may have meant."""
        bare = pattern.strip("*")
        holding = [name for name in self.shapes if bare and bare in name]
        found = holding or difflib.get_close_matches(bare, self.shapes, n=_SHOWN, cutoff=0.0)
        more = ", …" if len(self.shapes) > min(len(found), _SHOWN) else ""
        return f"the nearest are {', '.join(found[:_SHOWN])}{more}"
