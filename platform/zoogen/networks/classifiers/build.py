"""Classifiers built and tried out before anything is trained."""

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from zoogen.errors import ZoogenError
from zoogen.networks.classifiers.own import failure
from zoogen.networks.classifiers.spec import ClassifierSpec


def checked(spec: ClassifierSpec, channels: int, size: int, classes: int, *, seed: int = 0) -> nn.Module:
    """An untrained module in evaluation mode, of which one pass over two images [2, C, S, S] gave logits [2, classes].

    Networks of one's own must besides be the same for every call with the same seed, and take a batch of parameters
    (`torch.func.vmap`), by which hundreds of networks are judged at once.

    Raises:
        ZoogenError: the network cannot be built or takes no such images, or its outputs are not finite logits.
    """
    module = seeded_build(spec, channels, size, classes, seed)
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(2, channels, size, size, generator=generator)
    try:
        with torch.no_grad():
            logits = module(images)
    except Exception as error:
        raise failure(f"the network {spec.name} on images of {channels} x {size} x {size}", error) from error
    _require_logits(spec, logits, classes)
    if spec.source:
        _require_same(spec, module, seeded_build(spec, channels, size, classes, seed))
        _require_batched(spec, module, images)
    return module


def seeded_build(spec: ClassifierSpec, channels: int, size: int, classes: int, seed: int) -> nn.Module:
    """An untrained module in evaluation mode, whose initial weights depend on the seed alone.

    Raises:
        ZoogenError: the network cannot be built, or has no parameters.
    """
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
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


def _require_same(spec: ClassifierSpec, first: nn.Module, second: nn.Module) -> None:
    """That two calls make the same network, name by name and bit by bit."""
    one, other = first.state_dict(), second.state_dict()
    differing = [n for n in (*one, *other) if n not in one or n not in other or one[n].shape != other[n].shape]
    if differing:
        raise ZoogenError(f"{_name(spec)} differs between two calls, first in {differing[0]}; shapes must be the same")
    unequal = [name for name, value in one.items() if not torch.equal(value, other[name])]
    if unequal:
        raise ZoogenError(
            f"{_name(spec)} draws {unequal[0]} anew for the same seed; take random numbers from torch's generator"
        )


def _require_batched(spec: ClassifierSpec, module: nn.Module, images: Tensor) -> None:
    parameters, buffers = stack_module_state([module, module])
    detached = {name: value.detach() for name, value in parameters.items()}
    try:
        with torch.no_grad():
            vmap(lambda state: functional_call(module, state, (images,)))({**detached, **buffers})
    except Exception as error:
        raise failure(f"batched evaluation (torch.func.vmap) of {spec.name}", error) from error


def _name(spec: ClassifierSpec) -> str:
    return f"the network {spec.name} ({spec.title})" if spec.source else f"the network {spec.name}"
