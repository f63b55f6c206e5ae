"""In which order the parts of a module run, and what they give."""

from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

Forward = Callable[..., Any]


@dataclass
class Calls:
    """The calls of one submodule in one forward pass, as times of a common clock that ticks at every event."""

    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)


@torch.no_grad()
def trace(module: nn.Module, images: Tensor, only: Container[str] | None = None) -> dict[str, Calls]:
    """Every submodule that runs on `images`, by name, or only some; the module itself is ``""``."""
    watched = {name: child for name, child in module.named_modules() if only is None or name in only}
    found: dict[str, Calls] = {name: Calls() for name in watched}
    clock = iter(range(2 * 10**9))

    def watch(name: str, child: nn.Module, stack: ExitStack) -> None:
        calls = found[name]

        def begin(_module: nn.Module, _inputs: Any) -> None:
            calls.starts.append(next(clock))

        def end(_module: nn.Module, _inputs: Any, output: Any) -> None:
            calls.ends.append(next(clock))
            calls.outputs.append(output)

        stack.callback(child.register_forward_pre_hook(begin).remove)
        stack.callback(child.register_forward_hook(end).remove)

    with ExitStack() as stack:
        for name, child in watched.items():
            watch(name, child, stack)
        module(images)
    return {name: calls for name, calls in found.items() if calls.ends}


@contextmanager
def replaced(forwards: Mapping[nn.Module, Forward]) -> Iterator[None]:
    """Modules with other forward functions for the time being."""
    before: dict[nn.Module, Forward | None] = {module: module.__dict__.get("forward") for module in forwards}
    try:
        for module, forward in forwards.items():
            module.forward = forward
        yield
    finally:
        for module, own in before.items():
            if own is None:
                module.__dict__.pop("forward", None)
            else:
                module.forward = own


def tensors_of(output: Any) -> list[Tensor] | None:
    """The tensors of a module's output, which is a tensor or a tuple or list of tensors and Nones; None of another."""
    if isinstance(output, Tensor):
        return [output]
    if type(output) in (tuple, list) and all(part is None or isinstance(part, Tensor) for part in output):
        return [part for part in output if part is not None]
    return None


def rebuilt(output: Any, tensors: list[Tensor]) -> Any:
    """`output` with other tensors in place of its own, in order (see `tensors_of`)."""
    if isinstance(output, Tensor):
        return tensors[0]
    rest = iter(tensors)
    return type(output)(None if part is None else next(rest) for part in output)
