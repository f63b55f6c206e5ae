"""A module on fixed images, the unchanging part of it in tables; one network of it or many at once."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.modules.conv import _ConvNd

from zoogen.numerics import full_precision
from zoogen.tasks.images.pools import faster_pools
from zoogen.tasks.images.trace import Forward, rebuilt, replaced

_TOLERANCE = 1e-3  # relative difference of equal logits, far above rounding

Tell = Callable[[Tensor], dict[str, Tensor]]  # logits [B, classes] of one network to named tensors


@dataclass(frozen=True)
class Table:
    """What one submodule gives.

    Attributes:
        form: its output for a few images, as its caller gets it.
        kept: whether the rest of the network reads it.
        values: its tensors [n, ...] for all images; of no images where it is not read.
    """

    form: Any
    kept: bool
    values: tuple[Tensor, ...]

    def rows(self, index: Tensor) -> Any:
        if self.kept:
            return rebuilt(self.form, [values[index] for values in self.values])
        return rebuilt(self.form, [values.new_zeros(len(index), *values.shape[1:]) for values in self.values])


class Prefix:
    """A module on fixed images, with the outputs of its frozen submodules in tables.

    Attributes:
        module: as given; its parameters as they are count, except in the frozen submodules.
        images: [n, C, S, S] on the device.
        live: names of the submodules that run for real, or may.
        largest: values per image of the largest output of a live submodule.
    """

    def __init__(
        self, module: nn.Module, images: Tensor, tables: Mapping[str, Table], live: frozenset[str], largest: int
    ) -> None:
        self.module, self.images, self.live, self.largest = module, images, live, largest
        self._tables = {module.get_submodule(name): table for name, table in tables.items()}
        self._pools = faster_pools(module) if images.device.type == "cpu" else {}
        self._batched: bool | None = None  # whether the module runs under vmap

    def __len__(self) -> int:
        return len(self.images)

    @property
    def bytes(self) -> int:
        """Memory of the tables."""
        return sum(v.numel() * v.element_size() for table in self._tables.values() for v in table.values)

    def logits(self, index: Tensor) -> Tensor:
        """Logits [B, classes] of the images `index` [B], by the module's parameters as they are; differentiable."""
        with replaced(self._forwards(index)):
            return self.module(self.images[index])

    def stacked(self, tensors: Mapping[str, Tensor], index: Tensor) -> Tensor:
        """Logits [K, B, classes] of K networks that differ in the tensors [K, ...] given by name."""
        return self.of_networks(_as_logits, tensors, index)["logits"]

    def of_networks(self, tell: Tell, tensors: Mapping[str, Tensor], index: Tensor) -> dict[str, Tensor]:
        """What `tell` makes of each of K networks' logits on the images `index`, [K, ...] by name; not differentiable.

        All networks go through in one batched pass; one after the other where the module cannot do that, and on a CPU
        where kernels of convolutions differ between them, for which a batched pass takes several times longer there.
        """
        run = self._all if self.batches(tensors) else self._each
        with torch.no_grad():
            return run(tell, tensors, index)

    def batches(self, names: Iterable[str]) -> bool:
        """Whether networks that differ in these tensors, always the same ones, go through in one batched pass."""
        if self._batched is None:
            names = tuple(names)
            self._batched = not self._slower_batched(names) and self._runs_batched(names)
        return self._batched

    def _slower_batched(self, names: tuple[str, ...]) -> bool:
        layers = (self.module.get_submodule(name.rpartition(".")[0]) for name in names if name.endswith(".weight"))
        return self.images.device.type == "cpu" and any(isinstance(layer, _ConvNd) for layer in layers)

    def _one(self, tell: Tell, index: Tensor) -> Callable[..., dict[str, Tensor]]:
        images = self.images[index]

        def run(own: dict[str, Tensor]) -> dict[str, Tensor]:
            with replaced({**self._pools, **self._forwards(index)}):
                return tell(functional_call(self.module, own, (images,)))

        return run

    def _all(self, tell: Tell, tensors: Mapping[str, Tensor], index: Tensor) -> dict[str, Tensor]:
        return vmap(self._one(tell, index))(dict(tensors))

    def _each(self, tell: Tell, tensors: Mapping[str, Tensor], index: Tensor) -> dict[str, Tensor]:
        run, count = self._one(tell, index), len(next(iter(tensors.values())))
        told = [run({name: value[k] for name, value in tensors.items()}) for k in range(count)]
        return {name: torch.stack([one[name] for one in told]) for name in told[0]}

    @torch.no_grad()
    def _runs_batched(self, names: tuple[str, ...]) -> bool:
        """Two networks on two images tell."""
        own = {**dict(self.module.named_parameters()), **dict(self.module.named_buffers())}
        tensors = {name: torch.stack([own[name], own[name] * 1.01]) for name in names}
        index = torch.arange(min(2, len(self)), device=self.images.device)
        with full_precision():
            try:
                batched = self._all(_as_logits, tensors, index)["logits"]
            except Exception:  # torch's refusals, and what one's own code makes of batched tensors
                return False
            return close(batched, self._each(_as_logits, tensors, index)["logits"])

    def _forwards(self, index: Tensor) -> dict[nn.Module, Forward]:
        return {module: _lookup(table, index) for module, table in self._tables.items()}


def close(first: Tensor, second: Tensor) -> bool:
    """Whether logits are equal up to rounding, by the larger one's scale; NaN equals NaN."""
    scale = max(float(second.nan_to_num().abs().max()), 1e-6)
    return torch.allclose(first, second, rtol=0, atol=_TOLERANCE * scale, equal_nan=True)


def _as_logits(logits: Tensor) -> dict[str, Tensor]:
    return {"logits": logits}


def _lookup(table: Table, index: Tensor) -> Forward:
    return lambda *_args, **_kwargs: table.rows(index)
