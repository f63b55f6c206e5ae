"""State dicts as people have them: prefixes of wrappers, counters, one network without a leading dimension."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.weights.layout import ParameterLayout

# of torch's DataParallel, torch.compile and Lightning, possibly one within the other
PREFIXES = ("module.", "_orig_mod.", "model.")


@dataclass(frozen=True)
class Reading:
    """One way to read the tensors of a file.

    Attributes:
        tensors: [K, *shape] by name, floating point in single precision.
        notices: what was read into them.
    """

    tensors: Mapping[str, Tensor]
    notices: tuple[str, ...] = field(default=())

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of one network, by name; tensors that are not floating point (counters) are left out."""
        return {name: tuple(t.shape[1:]) for name, t in self.tensors.items() if t.is_floating_point()}

    def vector(self, layout: ParameterLayout) -> dict[str, Tensor]:
        """The tensors of a layout.

        Raises:
            ZoogenError: some are missing or of another shape or type; a few of them are named.
        """
        missing = [name for name in layout.shapes if name not in self.tensors]
        there = {name: self.tensors[name] for name in layout.shapes if name in self.tensors}
        counters = [name for name, tensor in there.items() if not tensor.is_floating_point()]
        if counters:
            kind = str(there[counters[0]].dtype).removeprefix("torch.")
            raise ZoogenError(f"{counters[0]} holds {kind}, expected floating point")
        wrong = [name for name, tensor in there.items() if tuple(tensor.shape[1:]) != layout.shapes[name]]
        if missing or wrong:
            others = [name for name in self.shapes if name not in layout.shapes]
            parts = [f"missing {some(missing)}"] if missing else []
            parts += [f"unexpected {some(others)}"] if missing and others else []
            for name in wrong[:3]:
                expected = ["K", *layout.shapes[name]]
                parts.append(f"{name} has shape {list(there[name].shape)}, expected [{', '.join(map(str, expected))}]")
            parts += [f"and {len(wrong) - 3} more of another shape"] if len(wrong) > 3 else []
            raise ZoogenError("tensors do not match: " + "; ".join(parts))
        return there

    def rest(self, layout: ParameterLayout) -> dict[str, Tensor]:
        """The tensors that are not of a layout."""
        return {name: tensor for name, tensor in self.tensors.items() if name not in layout.shapes}


def readings(tensors: Mapping[str, Tensor]) -> Iterator[Reading]:
    """All ways to read a file's tensors, the most literal first: names as they are or without prefixes of wrappers,
    networks stacked along a first dimension or one network without it.

    Raises:
        ZoogenError: there are no networks.
    """
    stacked = all(tensor.ndim for tensor in tensors.values()) and len({t.shape[0] for t in tensors.values()}) == 1
    if stacked and not next(iter(tensors.values())).shape[0]:
        raise ZoogenError("it holds no networks: the first axis of its tensors has length 0")
    single = {name: tensor.unsqueeze(0) for name, tensor in tensors.items()}
    for named, notices in _namings(tensors):
        if stacked:
            yield Reading({name: tensors[old] for name, old in named.items()}, notices)
    for named, notices in _namings(tensors):
        one = "one network without a leading dimension"
        yield Reading({name: single[old] for name, old in named.items()}, (*notices, one))


def peculiarities(tensors: Mapping[str, Tensor]) -> str:
    """Why no reading may fit a file's tensors, to be told where none does; empty if nothing is peculiar about them."""
    counts = {name: tensor.shape[0] for name, tensor in tensors.items() if tensor.ndim}
    other = next((name for name, count in counts.items() if count != next(iter(counts.values()))), "")
    integers = [name for name, tensor in tensors.items() if not tensor.is_floating_point()]
    said = ""
    if other:
        first = next(iter(counts))
        said += f"; different numbers of networks along the first axis: {first[:60]} {counts[first]}, "
        said += f"{other[:60]} {counts[other]}"
    return said + (f"; not floating point: {some(integers)}" if integers else "")


def _namings(tensors: Mapping[str, Tensor]) -> Iterator[tuple[dict[str, str], tuple[str, ...]]]:
    """Names to those in the file."""
    named = {name: name for name in tensors}
    yield named, ()
    removed = ""
    while prefix := next((p for p in PREFIXES if all(name.startswith(p) for name in named)), ""):
        removed += prefix
        named = {name.removeprefix(prefix): old for name, old in named.items()}
        yield named, (f"names without their prefix {removed}",)


def some(names: list[str]) -> str:
    """The first names of many, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(name[:60] for name in names[:3]) + more


def differing(rest: Mapping[str, Tensor], whole: Mapping[str, Tensor]) -> list[str]:
    """Names of tensors [K, ...] that are not, to float tolerance, those of the same name."""
    return [
        name
        for name, tensor in rest.items()
        if tensor.shape != whole[name].shape or not torch.allclose(tensor, whole[name].to(tensor), rtol=1e-4, atol=1e-6)
    ]
