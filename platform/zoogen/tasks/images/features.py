"""Frozen prefix: outputs of what runs before the first tensor that changes, computed once for all images.

When only the last layers of a network change, most of every forward pass gives what it gave before. Here the
submodules that finish before the first changing one starts are answered from a table instead.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from zoogen.numerics import full_precision
from zoogen.seeds import seeded_generator
from zoogen.tasks.images.prefix import Prefix, Table, close
from zoogen.tasks.images.trace import Calls, Forward, rebuilt, replaced, tensors_of, trace

_CHUNK = 64  # images whose outputs are computed at once
_GIB = 2.0  # outputs that are kept at most


def frozen_prefix(
    module: nn.Module, names: Iterable[str], images: Tensor, device: str = "cpu", gib: float = _GIB
) -> Prefix | None:
    """The module on `images` [n, C, S, S] with what does not depend on the tensors `names` computed once.

    The module must be in evaluation mode, on the device and keep its other values while this is used.

    Returns:
        None if nothing finishes before the first changing submodule starts, or the tables would exceed `gib`.
    """
    names, few = tuple(names), images[:2].to(device)
    first, calls = _first_change(module, names, few)
    frozen = _frozen(calls, trace(module, torch.cat([few, few[:1]])), first)
    if not frozen:
        return None
    live, largest = _live(calls, first)

    def tabled(read: frozenset[str], images: Tensor) -> Prefix:
        return Prefix(module, images, _tables(module, frozen, read, images), live, largest)

    for read in (_read(module, frozen, few), frozenset(frozen)):
        per_image = sum(t[0].nbytes for name in read for t in tensors_of(frozen[name]) or ())
        if per_image * len(images) > gib * 2**30:
            return None
        with full_precision():
            agreed = _agrees(tabled(read, few), names)
        if agreed:
            return tabled(read, images.to(device))
    return None  # something reads a changing tensor unseen, for example one that two layers share


def whole_network(module: nn.Module, images: Tensor, device: str = "cpu") -> Prefix:
    """The module on `images` with nothing computed before."""
    calls = trace(module, images[:2].to(device))
    live, largest = _live(calls, 0)
    return Prefix(module, images.to(device), {}, live, largest)


def prefix_or_whole(module: nn.Module, names: Iterable[str], images: Tensor, device: str = "cpu") -> Prefix:
    """`frozen_prefix` where there is one, else the whole network."""
    return frozen_prefix(module, names, images, device) or whole_network(module, images, device)


def _first_change(module: nn.Module, names: tuple[str, ...], few: Tensor) -> tuple[int, dict[str, Calls]]:
    """When the first submodule with a changing tensor starts, and all calls."""
    calls = trace(module, few)
    starts = []
    for name in names:
        owner = name.rpartition(".")[0]
        while owner and owner not in calls:  # its tensors are read by a parent, it never runs itself
            owner = owner.rpartition(".")[0]
        starts.append(calls[owner].starts[0])
    return min(starts, default=0), calls


def _frozen(calls: Mapping[str, Calls], more: Mapping[str, Calls], first: int) -> dict[str, Any]:
    """Outputs of the top-most submodules that finish before `first` and give one row per image.

    Args:
        calls, more: of two and of three images: rows per image follow the number.
    """
    found: dict[str, Any] = {}
    for name, call in calls.items():
        inside = any(name.startswith(f"{outer}.") for outer in found)
        if not inside and len(call.starts) == 1 and call.ends[0] < first:
            few, many = tensors_of(call.outputs[0]), tensors_of(more[name].outputs[0])
            if few and many and {t.shape[:1] for t in few} == {(2,)} and {t.shape[:1] for t in many} == {(3,)}:
                found[name] = call.outputs[0]
    return found


def _live(calls: Mapping[str, Calls], first: int) -> tuple[frozenset[str], int]:
    live = frozenset(name for name, call in calls.items() if max(call.ends) >= first)
    outputs = [tensors_of(output) or [] for name in live for output in calls[name].outputs]
    sizes = [tensor.numel() // max(len(tensor), 1) for group in outputs for tensor in group if tensor.ndim]
    return live, max(sizes, default=1)


def _read(module: nn.Module, frozen: Mapping[str, Any], few: Tensor) -> frozenset[str]:
    """Which of the outputs the logits depend on, by autograd; those without gradients count as read."""
    leaves = {
        name: [v.detach().clone().requires_grad_(v.is_floating_point()) for v in tensors_of(output) or ()]
        for name, output in frozen.items()
    }

    def give(name: str) -> Forward:
        return lambda *_args, **_kwargs: rebuilt(frozen[name], [leaf * 1 for leaf in leaves[name]])

    with torch.enable_grad(), replaced({module.get_submodule(name): give(name) for name in frozen}):
        total = module(few).sum()
    owners = [(name, leaf) for name, group in leaves.items() for leaf in group]
    wanted = [leaf for _, leaf in owners if leaf.requires_grad]
    slopes = torch.autograd.grad(total, wanted, allow_unused=True) if total.requires_grad and wanted else ()
    reached = {id(leaf) for leaf, slope in zip(wanted, slopes, strict=False) if slope is not None}
    return frozenset(name for name, leaf in owners if id(leaf) in reached or not leaf.requires_grad)


@torch.no_grad()
def _agrees(prefix: Prefix, names: tuple[str, ...]) -> bool:
    """Whether other values of the changing tensors give the same logits with the tables and without.

    The tables of `prefix` must have been computed in full precision, too: TF32 on a GPU differs by as much as is looked
    for.
    """
    module, images = prefix.module, prefix.images
    state, generator = {**dict(module.named_parameters()), **dict(module.named_buffers())}, seeded_generator(0)
    factors = {name: 1 + torch.rand(state[name].shape, generator=generator).to(images) / 10 for name in names}
    other = {name: (state[name] * factor + 0.01).unsqueeze(0) for name, factor in factors.items()}
    short = prefix.stacked(other, torch.arange(len(images), device=images.device))[0]
    return close(short, functional_call(module, {name: value[0] for name, value in other.items()}, (images,)))


@torch.no_grad()
def _tables(module: nn.Module, frozen: Mapping[str, Any], read: frozenset[str], images: Tensor) -> dict[str, Table]:
    found: dict[str, list[list[Tensor]]] = {name: [] for name in read}
    for chunk in images.split(_CHUNK):
        for name, call in trace(module, chunk, read).items():
            found[name].append(tensors_of(call.outputs[0]) or [])
    unread = {name: [[tensor[:0] for tensor in tensors_of(form) or []]] for name, form in frozen.items()}
    return {
        name: Table(form, name in read, tuple(torch.cat(parts) for parts in zip(*(unread | found)[name], strict=True)))
        for name, form in frozen.items()
    }
