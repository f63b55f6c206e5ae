"""A table of numbers that is written as Markdown and as tidy CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from zoogen.reports.table_rows import number

Cell = float | int | str | None

STRUCTURE, RUN, METHOD = "structure", "run", "method"
PRINTED = "paper: "  # columns of this prefix show a paper's numbers, with all the digits that are printed there
_DIGITS, _PRINTED_DIGITS = 4, 6


@dataclass(frozen=True)
class SheetRow:
    """A line: what it is about, and its cells (None where there is nothing)."""

    keys: tuple[str, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Sheet:
    """A table.

    Attributes:
        name: short name, the first column of the CSV.
        title: heading.
        keys: names of the columns that say what a row is about.
        columns: names of the other columns.
        notes: one-line remarks below.
        decimals: columns whose numbers are read with so many digits behind the point, others with significant ones.
    """

    name: str
    title: str
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[SheetRow, ...]
    notes: tuple[str, ...] = ()
    decimals: Mapping[str, int] = field(default_factory=dict)

    def trimmed(self) -> "Sheet":
        """Without columns and rows that are empty throughout."""
        rows = tuple(row for row in self.rows if any(cell is not None for cell in row.cells))
        kept = [i for i in range(len(self.columns)) if any(row.cells[i] is not None for row in rows)]
        cut = tuple(SheetRow(row.keys, tuple(row.cells[i] for i in kept)) for row in rows)
        return replace(self, columns=tuple(self.columns[i] for i in kept), rows=cut)

    def cell(self, column: str, *keys: str) -> Cell:
        """The cell of a row that is about all of `keys`; None if there is no such row or column."""
        if column not in self.columns:
            return None
        index = self.columns.index(column)
        return next((row.cells[index] for row in self.rows if set(keys) <= set(row.keys)), None)

    def markdown(self, level: int = 2) -> list[str]:
        """Lines of Markdown: heading, table, notes. The column of runs is left out where there is one run."""
        shown = [i for i, key in enumerate(self.keys) if key != RUN or len({row.keys[i] for row in self.rows}) > 1]
        titles = [*(self.keys[i] for i in shown), *self.columns]
        lines = ["#" * level + f" {self.title}", "", _line(titles)]
        lines.append("|" + "-|" * len(shown) + "-:|" * len(self.columns))
        lines += [_line([*(row.keys[i] for i in shown), *self._texts(row)]) for row in self.rows]
        return [*lines, "", *(f"- {note}" for note in self.notes), *([""] if self.notes else [])]

    def _texts(self, row: SheetRow) -> list[str]:
        return [self._text(cell, column) for cell, column in zip(row.cells, self.columns, strict=True)]

    def _text(self, cell: Cell, column: str) -> str:
        if isinstance(cell, float) and column in self.decimals:
            return f"{cell:.{self.decimals[column]}f}"
        return cell_text(cell, _PRINTED_DIGITS if column.startswith(PRINTED) else _DIGITS)


def cell_text(cell: Cell, digits: int) -> str:
    """A cell for reading: numbers with so many significant digits, nothing for None."""
    if cell is None:
        return ""
    return number(cell, digits) if isinstance(cell, float) else str(cell)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def tidy_csv(sheets: Sequence[Sheet]) -> str:
    """All cells as CSV, one line each: table, every key, column, value; empty cells are left out."""
    keys = tuple(dict.fromkeys(key for sheet in sheets for key in sheet.keys))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["table", *keys, "column", "value"])
    for sheet in sheets:
        for row in sheet.rows:
            about = dict(zip(sheet.keys, row.keys, strict=True))
            for column, cell in zip(sheet.columns, row.cells, strict=True):
                if cell is not None:
                    writer.writerow([sheet.name, *(about.get(key, "") for key in keys), column, cell])
    return text.getvalue()
