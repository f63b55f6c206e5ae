"""What the user sees: lines, tables and progress, in a terminal or in a log file."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console as RichConsole
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Report = Callable[[int, int, Mapping[str, float]], None]  # (done, total, figures such as the loss)
LOG_WIDTH = 160
PLAIN_INTERVAL = 10.0  # seconds between progress lines in a log file


class Console:
    """Results go to standard output, progress and remarks to standard error."""

    def __init__(self, out: RichConsole | None = None, err: RichConsole | None = None) -> None:
        self.out = out or _console(sys.stdout)
        self.err = err or _console(sys.stderr)

    def say(self, line: str) -> None:
        """One line about what happens."""
        self.err.print(line, markup=False)

    def show(self, text: str) -> None:
        """A result, for example a table."""
        self.out.print(text, markup=False)

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
            TextColumn("{task.description:<12}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(unit),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.err) as bar:
            row = bar.add_task(title, total=None, figures="")

            def report(done: int, total: int, figures: Mapping[str, float]) -> None:
                bar.update(row, completed=done, total=total, figures=figures_text(figures))

            yield report


def _console(file: TextIO) -> RichConsole:
    # A log file has no width: leave room for whole tables.
    width = None if file.isatty() else LOG_WIDTH
    return RichConsole(file=file, width=width, soft_wrap=True, highlight=False)


def plain_report(
    say: Callable[[str], None], title: str, unit: str, clock: Callable[[], float] = time.monotonic
) -> Report:
    """Progress as lines: the first, the last, and one every ten seconds between."""
    begin = last = clock()
    first: int | None = None

    def report(done: int, total: int, figures: Mapping[str, float]) -> None:
        nonlocal first, last
        now = clock()
        if first is not None and done < total and now - last < PLAIN_INTERVAL:
            return
        # What was there before the first report says nothing about the speed.
        first, last = done if first is None else first, now
        left = (now - begin) / (done - first) * (total - done) if done > first else None
        parts = [f"{title}: {done}/{total} {unit}", figures_text(figures), "" if left is None else f"{left:.0f} s left"]
        say(", ".join(part for part in parts if part))

    return report


def figures_text(figures: Mapping[str, float]) -> str:
    """For example `loss 0.0123  checkpoints/s 41.5`."""
    return "  ".join(f"{name} {value:.3g}" for name, value in figures.items())
