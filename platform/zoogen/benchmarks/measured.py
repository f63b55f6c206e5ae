"""What the benchmarks share: what each hands back, and what it needs of a console."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from zoogen.benchmarks.result import Measure

Report = Callable[[int, int, Mapping[str, float]], None]


class BenchmarkConsole(Protocol):
    """Where lines, results and progress go."""

    def say(self, line: str) -> None: ...

    def show(self, text: str) -> None: ...

    def progress(self, title: str, unit: str) -> AbstractContextManager[Report]: ...


@dataclass(frozen=True)
class Measured:
    """What one benchmark found, without the circumstances, which are the same for all kinds."""

    title: str
    method: str
    measures: tuple[Measure, ...]
    table: tuple[dict[str, Any], ...]
    notices: tuple[str, ...] = ()


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """So many threads of torch within the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
