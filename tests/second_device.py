"""A second device that is the CPU in disguise: tensors on it compute real numbers, and may not meet the CPU's.

Its name is `meta`, the one device type that torch knows everywhere and whose autograd needs no hardware. What a GPU
would refuse is refused: operands on two devices (but numbers without dimensions). Generators fit every device.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any, ClassVar
from unittest import mock

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map

DEVICE = "meta"
_COPIES = {"aten::_to_copy", "aten::copy_", "aten::to"}


class Placed(Tensor):
    """A tensor on the second device, which keeps its numbers in a tensor of the CPU."""

    held: Tensor
    __slots__: ClassVar[list[str]] = ["held"]  # type: ignore[misc]

    @staticmethod
    def __new__(cls, held: Tensor) -> "Placed":
        made = Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=DEVICE,
        )
        made.held = held
        return made  # type: ignore[no-any-return]

    def __repr__(self, *_: Any) -> str:
        return f"Placed({self.held!r})"

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return run(function, args, kwargs or {})


def run(function: Any, args: Any, kwargs: Mapping[str, Any]) -> Any:
    """An operation on the CPU's numbers, its results where its operands are.

    Raises:
        AssertionError: the operands lie on two devices.
    """
    name, wanted = function._schema.name, kwargs.get("device")
    operands = [leaf for leaf in tree_flatten((args, dict(kwargs)))[0] if isinstance(leaf, Tensor)]
    placed = any(isinstance(operand, Placed) for operand in operands)
    if placed and name not in _COPIES:
        strays = [list(o.shape) for o in operands if not isinstance(o, Placed) and o.ndim]
        assert not strays, f"{name} mixes tensors of the second device with the CPU's, of shapes {strays}"
    there = placed if wanted is None else torch.device(wanted).type == DEVICE
    if name == "aten::copy_":
        there = isinstance(args[0], Placed)
    plain = tree_map(lambda leaf: leaf.held if isinstance(leaf, Placed) else leaf, (args, dict(kwargs)))
    if wanted is not None:
        plain[1]["device"] = torch.device("cpu")
    result = function(*plain[0], **plain[1])
    if not there:
        return result
    wrapped = tree_map(lambda leaf: Placed(leaf) if isinstance(leaf, Tensor) else leaf, result)
    return return_and_correct_aliasing(function, args, dict(kwargs), wrapped) if placed else wrapped


class _Factories(TorchDispatchMode):
    """Tensors that are made on the second device, or copied to it from the CPU."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return run(function, args, kwargs or {})


_Generator = torch.Generator


class _AnyDevice:
    """`torch.Generator` that knows the second device."""

    def __new__(cls, device: Any = "cpu") -> torch.Generator:  # type: ignore[misc]
        there = torch.device(device).type == DEVICE
        return _Generator("cpu" if there else device)


_Autocast = torch.autocast


class _NoAutocast:
    """`torch.autocast` that does nothing on the second device."""

    def __new__(cls, device_type: str, *args: Any, **kwargs: Any) -> Any:
        return nullcontext() if device_type == DEVICE else _Autocast(device_type, *args, **kwargs)


def _fused_devices() -> list[str]:
    return [DEVICE, *torch.utils._foreach_utils._get_fused_kernels_supported_devices()]


@contextmanager
def second_device() -> Iterator[str]:
    """Within, the device `meta` computes."""
    with ExitStack() as patches:
        patches.enter_context(mock.patch("torch.Generator", _AnyDevice))
        patches.enter_context(mock.patch("torch.autocast", _NoAutocast))
        patches.enter_context(mock.patch("torch.optim.optimizer._get_fused_kernels_supported_devices", _fused_devices))
        patches.enter_context(_Factories())
        yield DEVICE
