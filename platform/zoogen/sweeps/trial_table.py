"""The trials of a sweep as a live table in a terminal, or as a line now and then in a log file."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.live import Live
from rich.table import Table

from zoogen.console import PLAIN_INTERVAL, Console, figures_text

_SHOWN_ROWS = 30
_REFRESH_SECONDS = 0.5
RUNNING, WAITING = "running", "waiting"


@dataclass
class TrialRow:
    """What is shown of a trial."""

    state: str = WAITING
    stage: str = ""
    step: int = 0
    figures: Mapping[str, float] = field(default_factory=dict)
    begin: float | None = None
    end: float | None = None

    def seconds(self, now: float) -> str:
        return "" if self.begin is None else f"{(self.end or now) - self.begin:.0f}"


class SweepView:
    """Rows by trial name; change them, then call `refresh`."""

    def __init__(self, names: list[str], show: Callable[["SweepView"], None], clock: Callable[[], float]) -> None:
        self.rows = {name: TrialRow() for name in names}
        self._show, self.clock, self._last = show, clock, -PLAIN_INTERVAL

    def refresh(self) -> None:
        """Show the present rows, not more often than is readable."""
        if (now := self.clock()) - self._last >= _REFRESH_SECONDS:
            self._last = now
            self._show(self)

    def begin(self, name: str) -> None:
        self.rows[name] = TrialRow(RUNNING, begin=self.clock())

    def end(self, name: str, state: str, figures: Mapping[str, float] | None = None) -> None:
        row = self.rows[name]
        row.state, row.stage, row.end, row.figures = state, "", self.clock(), figures or row.figures

    def count(self, state: str) -> int:
        return sum(row.state == state for row in self.rows.values())

    def summary(self) -> str:
        """For example `3 of 12 trials, 2 running: N=2 generator 300, N=3 autoencoder 1200`."""
        running = [f"{name} {row.stage} {row.step}" for name, row in self.rows.items() if row.state == RUNNING]
        done = len(self.rows) - len(running) - self.count(WAITING)
        beside = f", {len(running)} running: {', '.join(running)}" if running else ""
        return f"{done} of {len(self.rows)} trials{beside}"

    def table(self) -> Table:
        """The trials that run or ended last, and those that wait, as far as there is room."""
        table = Table(box=None, pad_edge=False, title=self.summary(), title_justify="left")
        for name in ("trial", "state", "stage", "step", "s", "figures"):
            table.add_column(name, justify="right" if name in ("step", "s") else "left", no_wrap=True)
        order = sorted(self.rows, key=lambda name: self.rows[name].state != RUNNING)  # stable: then as planned
        now = self.clock()
        for name in order[:_SHOWN_ROWS]:
            row = self.rows[name]
            step = str(row.step) if row.stage else ""
            table.add_row(name, row.state, row.stage, step, row.seconds(now), figures_text(row.figures))
        if len(order) > _SHOWN_ROWS:
            table.add_row(f"… {len(order) - _SHOWN_ROWS} more")
        return table


@contextmanager
def sweep_view(console: Console, names: list[str]) -> Iterator[SweepView]:
    """A view on the console's standard error."""
    if console.err.is_terminal:
        with Live(console=console.err, auto_refresh=False, transient=True) as live:
            yield SweepView(names, lambda view: live.update(view.table(), refresh=True), time.monotonic)
    else:
        yield SweepView(names, _plain(console.say), time.monotonic)


def _plain(say: Callable[[str], None]) -> Callable[[SweepView], None]:
    """A line whenever a trial ended, and every ten seconds."""
    last, ended = -PLAIN_INTERVAL, -1

    def show(view: SweepView) -> None:
        nonlocal last, ended
        now, done = view.clock(), len(view.rows) - view.count(RUNNING) - view.count(WAITING)
        if done != ended or now - last >= PLAIN_INTERVAL:
            last, ended = now, done
            say(f"sweep: {view.summary()}")

    return show
