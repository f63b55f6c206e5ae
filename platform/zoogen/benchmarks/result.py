"""The result of a benchmark, its JSON and Markdown, and the comparison with an earlier one."""

import math
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from zoogen.errors import ZoogenError
from zoogen.evaluation.records import Record
from zoogen.evaluation.result import Environment
from zoogen.reports.text_tables import markdown_table

Cell = str | int | float | None


class Measure(Record):
    """One number that is watched.

    Attributes:
        better: which direction is an improvement.
        target: number to reach, None if there is none.
    """

    name: str
    value: float
    unit: str
    better: Literal["higher", "lower"]
    target: float | None = None

    @property
    def reached(self) -> bool | None:
        """Whether the target is reached, None without target."""
        if self.target is None:
            return None
        return self.value >= self.target if self.better == "higher" else self.value <= self.target


class BenchmarkResult(Record):
    """What a benchmark measured, with all that is needed to read and to repeat it.

    Attributes:
        kind: kind of the benchmark; also the name of its files.
        title: one line for a heading.
        method: how it was measured, in plain sentences.
        command: what was run.
        config: resolved configuration.
        table: rows of named cells.
    """

    kind: str
    title: str
    method: str
    command: str
    seed: int
    config: dict[str, Any]
    measures: tuple[Measure, ...]
    table: tuple[dict[str, Cell], ...]
    notices: tuple[str, ...] = ()
    environment: Environment

    def measure(self, name: str) -> Measure | None:
        return next((m for m in self.measures if m.name == name), None)

    def to_json(self) -> str:
        return self.model_dump_json(indent=1) + "\n"

    @classmethod
    def read(cls, path: Path) -> "BenchmarkResult":
        """Read what `to_json` wrote.

        Raises:
            ZoogenError: the file is missing or no benchmark result.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise ZoogenError(f"cannot read the benchmark result {path}: {error.strerror}") from None
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "text"
            raise ZoogenError(f"{path} is no benchmark result: {place}: {first['msg']}; measure again") from None

    def lines(self) -> list[str]:
        """The measures, one line each."""
        return [f"{m.name}: {number(m.value)} {m.unit}{_verdict(m)}".rstrip() for m in self.measures]

    def to_markdown(self) -> str:
        """The result as a page."""
        environment = self.environment
        text = [f"# {self.title}", "", self.method, "", *_measures(self.measures), "", *_table(self.table)]
        if self.notices:
            text += ["", *(f"- {notice}" for notice in self.notices)]
        hardware = ", ".join(f"{k} {v}" for k, v in environment.hardware.items())
        versions = ", ".join(f"{k} {v}" for k, v in environment.versions.items())
        text += [
            "",
            f"Command: `{self.command}` (seed {self.seed})  ",
            f"Date: {environment.date}  ",
            f"Revision: {environment.git or 'unknown'}  ",
            f"Hardware: {hardware}  ",
            f"Versions: {versions}",
            "",
            f"The configuration and every number are in `{self.kind}.json`.",
            "",
        ]
        return "\n".join(text)


def number(value: Cell) -> str:
    """A cell for reading: four significant digits."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.0f}" if math.isfinite(value) and abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def regressions(result: BenchmarkResult, baseline: BenchmarkResult, tolerance: float) -> list[str]:
    """Measures that are worse than in `baseline` by more than the share `tolerance`, or no longer there."""
    found = []
    for before in baseline.measures:
        now = result.measure(before.name)
        if now is None:
            found.append(f"{before.name} was {number(before.value)} and was not measured")
            continue
        worst = before.value * (1 - tolerance if before.better == "higher" else 1 + tolerance)
        if not (now.value >= worst if before.better == "higher" else now.value <= worst):
            found.append(f"{before.name} {number(now.value)} {now.unit} (was {number(before.value)})")
    return found


def _verdict(measure: Measure) -> str:
    if measure.target is None:
        return ""
    sign = "≥" if measure.better == "higher" else "≤"
    return f" (to reach: {sign} {number(measure.target)}, {'reached' if measure.reached else 'missed'})"


def _measures(measures: tuple[Measure, ...]) -> list[str]:
    rows = []
    for m in measures:
        sign = "≥" if m.better == "higher" else "≤"
        target = "" if m.target is None else f"{sign} {number(m.target)}"
        verdict = "" if m.reached is None else "reached" if m.reached else "missed"
        rows.append((m.name, f"{number(m.value)} {m.unit}", target, verdict))
    return markdown_table(("measure", "value", "to reach", ""), rows)


def _table(table: tuple[dict[str, Cell], ...]) -> list[str]:
    if not table:
        return []
    columns = list(dict.fromkeys(name for row in table for name in row))
    return markdown_table(columns, [[number(row.get(name)) for name in columns] for row in table])
