"""Classifiers built and tried out before anything is trained."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from zoogen.errors import ZoogenError
from zoogen.networks.classifiers.own import failure
from zoogen.networks.classifiers.spec import ClassifierSpec
from zoogen.seal import content_hash
from zoogen.seeds import seeded, seeded_generator
from zoogen.weights.hashing import tensors_hash


def checked(spec: ClassifierSpec, channels: int, size: int, classes: int, *, seed: int = 0) -> nn.Module:
    """An untrained module in evaluation mode, of which one pass over two images [2, C, S, S] gave logits [2, classes].

    Networks of one's own must besides be the same for every call with the same seed, and have parameters of single
    precision, as generated ones are. That they take a batch of parameters (`torch.func.vmap`) is not asked: those that
    do not are trained and judged one by one.

    Raises:
        ZoogenError: the network cannot be built or takes no such images, or its outputs are not finite logits.
    """
    module = seeded_build(spec, channels, size, classes, seed)
    _require_sizes(spec, module)
    _require_distinct(spec, module)
    _require_single_precision(spec, module)
    generator = seeded_generator(seed)
    images = torch.randn(2, channels, size, size, generator=generator)
    try:
        with torch.no_grad():
            logits = module(images)
    except Exception as error:
        raise failure(f"the network {spec.name} on images of {channels} x {size} x {size}", error) from error
    _require_logits(spec, logits, classes)
    if spec.source:
        _require_same(spec, module, seeded_build(spec, channels, size, classes, seed))
    return module


def seeded_build(spec: ClassifierSpec, channels: int, size: int, classes: int, seed: int) -> nn.Module:
    """An untrained module in evaluation mode, whose initial weights depend on the seed alone.

    Raises:
        ZoogenError: the network cannot be built, or has no parameters.
    """
    try:
        with seeded(seed):
            module = spec.build(channels, size, classes)
    except ZoogenError:
        raise
    except Exception as error:
        raise failure(f"building {spec.name} for images of {channels} x {size} x {size}", error) from error
    if not isinstance(module, nn.Module):
        raise ZoogenError(f"{_name(spec)} returned {type(module).__name__}, it must return a torch.nn.Module")
    if not any(parameter.is_floating_point() for parameter in module.parameters()):
        raise ZoogenError(f"{_name(spec)} has no parameters that could be generated")
    return module.eval()


def initial_hash(module: nn.Module) -> str:
    """Hash of what a network is before it is trained: parameters, buffers and whatever numbers and texts its parts hold
    beside them (a dropout's share, a slope), 32 hexadecimal digits."""
    tensors: dict[str, Tensor] = {f"parameter {name}": value for name, value in module.named_parameters()}
    tensors |= {f"buffer {name}": value for name, value in module.named_buffers()}
    settings: list[Any] = []
    for name, part in module.named_modules():
        held = {key: value for key, value in sorted(vars(part).items()) if key not in _OF_MODULES}
        tensors |= {f"{name} {key}": value for key, value in held.items() if isinstance(value, Tensor)}
        arrays = {key: value for key, value in held.items() if isinstance(value, np.ndarray) and value.dtype != object}
        tensors |= {f"{name} {key}": torch.from_numpy(np.array(value)) for key, value in arrays.items()}
        settings.append([name, type(part).__qualname__, {k: v for k, v in held.items() if _is_plain(v)}])
    return content_hash(tensors_hash(tensors).encode(), repr(settings).encode())


_OF_MODULES = frozenset(vars(nn.Module()))  # what every module has; parameters and buffers are among it


def _is_plain(value: object) -> bool:
    """Numbers, texts and collections of them, which read the same in every process."""
    if isinstance(value, Mapping):
        return all(_is_plain(key) and _is_plain(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def last_normalisations(module: nn.Module, count: int = 2) -> tuple[str, ...]:
    """Glob patterns of the parameters of a module's last normalisation layers, in the order of its definition.

    For networks whose specification names none; an empty tuple where the module has fewer with parameters.
    """
    names = [name for name, part in module.named_modules() if _normalises(part)]
    return tuple(f"{name}.*" for name in names[-count:]) if len(names) >= count else ()


def _normalises(module: nn.Module) -> bool:
    named = type(module).__name__.lower()
    return "norm" in named and any(True for _ in module.parameters(recurse=False))


def _require_logits(spec: ClassifierSpec, logits: object, classes: int) -> None:
    if not isinstance(logits, Tensor):
        raise ZoogenError(f"{_name(spec)} gives {type(logits).__name__}, it must give a tensor [B, {classes}]")
    if logits.ndim != 2 or len(logits) != 2:
        raise ZoogenError(f"{_name(spec)} gives {list(logits.shape)} for two images, it must give [2, {classes}]")
    if logits.shape[1] != classes:
        raise ZoogenError(
            f"the head of {_name(spec)} has {logits.shape[1]} outputs, the data set has {classes} classes"
        )
    if not bool(torch.isfinite(logits).all()):
        raise ZoogenError(f"untrained, {_name(spec)} gives NaN or infinity; mend its initial weights")


def require_shapes(spec: ClassifierSpec, first: nn.Module, second: nn.Module) -> None:
    """Raises:
    ZoogenError: two networks of that name differ in their tensors' names or shapes; the first such tensor is named.
    """
    one, other = _shapes(first), _shapes(second)
    differing = [name for name in (*one, *other) if one.get(name) != other.get(name)]
    if differing:
        raise ZoogenError(f"{_name(spec)} differs between two calls, first in {differing[0]}; shapes must be the same")


def _shapes(module: nn.Module) -> Mapping[str, torch.Size]:
    return {name: value.shape for name, value in module.state_dict().items()}


def _require_sizes(spec: ClassifierSpec, module: nn.Module) -> None:
    lazy = next((name for name, parameter in module.named_parameters() if is_lazy(parameter)), None)
    if lazy is not None:
        raise ZoogenError(f"{lazy} of {_name(spec)} has no shape before its first use; give its layer all sizes")


def _require_distinct(spec: ClassifierSpec, module: nn.Module) -> None:
    """That no layer with tensors has two names, by which `functional_call` would not find its way back."""
    seen: dict[nn.Module, str] = {}
    for name, part in module.named_modules(remove_duplicate=False):
        if (*part.parameters(recurse=False), *part.buffers(recurse=False)) and seen.setdefault(part, name) != name:
            raise ZoogenError(
                f"{_name(spec)} has one layer as {seen[part]} and {name}; keep it under one name and call it twice"
            )


def _require_single_precision(spec: ClassifierSpec, module: nn.Module) -> None:
    odd = [(name, p.dtype) for name, p in module.named_parameters() if p.dtype != torch.float32]
    if odd:
        kind = str(odd[0][1]).removeprefix("torch.")
        raise ZoogenError(f"{odd[0][0]} of {_name(spec)} is {kind}, all parameters must be float32")


def _require_same(spec: ClassifierSpec, first: nn.Module, second: nn.Module) -> None:
    """That two calls make the same network, name by name and bit by bit."""
    require_shapes(spec, first, second)
    one, other = first.state_dict(), second.state_dict()
    unequal = [name for name, value in one.items() if not torch.equal(value, other[name])]
    if unequal:
        raise ZoogenError(
            f"{_name(spec)} draws {unequal[0]} anew for the same seed; take random numbers from torch's generator"
        )


def _name(spec: ClassifierSpec) -> str:
    return f"the network {spec.name} ({spec.title})" if spec.source else f"the network {spec.name}"
