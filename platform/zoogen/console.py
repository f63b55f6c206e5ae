"""What the user sees: lines, tables and progress, in a terminal or in a log file."""

import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol, TextIO

from rich.console import Console as RichConsole
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from zoogen.secrets import masked


class Report(Protocol):
    """Told how far something is."""

    def __call__(self, done: int, total: int, figures: Mapping[str, float], seconds_left: float | None = None) -> None:
        """`done` of `total`, figures such as the loss, and the seconds left if the caller knows better."""


LOG_WIDTH = 160
PLAIN_INTERVAL = 10.0  # seconds between progress lines in a log file


class Console:
    """Results go to standard output, progress and remarks to standard error."""

    def __init__(self, out: RichConsole | None = None, err: RichConsole | None = None) -> None:
        self.out = out or _console(sys.stdout)
        self.err = err or _console(sys.stderr)

    def say(self, line: str) -> None:
        """One line about what happens."""
        self.err.print(masked(line), markup=False)

    def show(self, text: str) -> None:
        """A result, for example a table."""
        self.out.print(masked(text), markup=False)

    @contextmanager
    def progress(self, title: str, unit: str) -> Iterator[Report]:
        """A function that reports progress: a bar with figures and time left, or a line now and then."""
        if self.err.is_terminal:
            with self._bar(title, unit) as report:
                yield report
        else:
            yield plain_report(self.say, title, unit)

    @contextmanager
    def _bar(self, title: str, unit: str) -> Iterator[Report]:
        columns = (
            TextColumn("{task.description:<13}"),
            BarColumn(bar_width=16),  # everything has to fit into 80 columns
            MofNCompleteColumn(),
            TextColumn(unit),
            TextColumn("{task.fields[left]}"),
            TextColumn("{task.fields[figures]}"),
        )
        with Progress(*columns, console=self.err) as bar:
            row = bar.add_task(title, total=None, figures="", left="")
            estimate = Estimate(time.monotonic)

            def report(done: int, total: int, figures: Mapping[str, float], seconds_left: float | None = None) -> None:
                left = left_text(estimate(done, total, seconds_left))
                bar.update(row, completed=done, total=total, figures=figures_text(figures), left=left)

            yield report


class Estimate:
    """Seconds left from the speed so far."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._begin = clock, clock()
        self._first: int | None = None

    def __call__(self, done: int, total: int, known: float | None) -> float | None:
        """Seconds left, None while unknown; what was there at the first report says nothing about the speed."""
        if self._first is None:
            self._first = done
        if known is not None:
            return known if math.isfinite(known) else None
        if done <= self._first:
            return None
        return (self._clock() - self._begin) / (done - self._first) * (total - done)


def _console(file: TextIO) -> RichConsole:
    # A log file has no width: leave room for whole tables.
    width = None if file.isatty() else LOG_WIDTH
    return RichConsole(file=file, width=width, soft_wrap=True, highlight=False)


def plain_report(
    say: Callable[[str], None], title: str, unit: str, clock: Callable[[], float] = time.monotonic
) -> Report:
    """Progress as lines: the first, the last, and one every ten seconds between."""
    last: float | None = None
    estimate = Estimate(clock)

    def report(done: int, total: int, figures: Mapping[str, float], seconds_left: float | None = None) -> None:
        nonlocal last
        now, left = clock(), estimate(done, total, seconds_left)
        if last is not None and done < total and now - last < PLAIN_INTERVAL:
            return
        last = now
        parts = [f"{title}: {done}/{total} {unit}", figures_text(figures), left_text(left) if done < total else ""]
        say(", ".join(part for part in parts if part))

    return report


def left_text(seconds: float | None) -> str:
    """For example `12 s left` or `3 min left`."""
    if seconds is None:
        return ""
    return f"{seconds:.0f} s left" if seconds < 120 else f"{seconds / 60:.0f} min left"


def figures_text(figures: Mapping[str, float]) -> str:
    """For example `loss 0.0123  checkpoints/s 41.5`."""
    return "  ".join(f"{name} {value:.3g}" for name, value in figures.items())
