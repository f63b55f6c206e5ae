"""Switches of torch that decide which bits an operation gives."""

import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor

_WORKSPACE = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS may sum in another order each time


@contextmanager
def full_precision() -> Iterator[None]:
    """float32 arithmetic in float32, without TF32 (10 bits of mantissa): for comparisons that rounding must not decide.

    A GPU's convolutions round to TF32 by default, products of matrices where somebody asked for it.
    """
    with ExitStack() as restored:
        cudnn: Any = torch.backends.cudnn  # its annotations lack `conv`
        for library in (torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn):
            restored.callback(_set_precision, library, library.fp32_precision)
            _set_precision(library, "ieee")
        yield


def _set_precision(library: Any, precision: str) -> None:
    library.fp32_precision = precision


def deterministic_here() -> bool:
    """Whether this process computes by `deterministic(True)`."""
    return torch.are_deterministic_algorithms_enabled()


@contextmanager
def deterministic(wanted: bool) -> Iterator[None]:
    """Algorithms that give the same bits each time, on a GPU, too. Slower; an operation that has none warns.

    Without it a GPU adds in whatever order its threads end: scattered gradients, running sums, some convolutions.
    """
    if not wanted or deterministic_here():
        yield
        return
    benchmark = torch.backends.cudnn.benchmark
    os.environ.setdefault(*_WORKSPACE)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.benchmark = benchmark


def running_sum(values: Tensor, dim: int) -> Tensor:
    """`cumsum`, of which torch has no deterministic one for a GPU's floating point; there term by term if wanted."""
    if values.device.type == "cpu" or not deterministic_here():
        return values.cumsum(dim)
    return torch.stack(list(itertools.accumulate(values.unbind(dim))), dim)
