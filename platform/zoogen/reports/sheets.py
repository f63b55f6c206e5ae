"""A table of numbers that is written as Markdown and as tidy CSV."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from zoogen.reports.table_rows import number
from zoogen.reports.text_tables import TextCell, TextTable, csv_text

Cell = float | int | str | None

STRUCTURE, EVALUATION, METHOD = "structure", "evaluation", "method"
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
        """Lines of Markdown: heading, table, notes."""
        lines = ["#" * level + f" {self.title}", "", *self.table().markdown()]
        return [*lines, "", *(f"- {note}" for note in self.notes), *([""] if self.notes else [])]

    def table(self) -> TextTable:
        """The table for reading. The column of names of evaluations is left out where there is one evaluation."""
        shown = [
            i for i, key in enumerate(self.keys) if key != EVALUATION or len({row.keys[i] for row in self.rows}) > 1
        ]
        titles = (*(self.keys[i] for i in shown), *self.columns)
        rows = tuple((*(TextCell(row.keys[i]) for i in shown), *self._cells(row)) for row in self.rows)
        return TextTable(titles, rows, len(shown))

    def _cells(self, row: SheetRow) -> list[TextCell]:
        pairs = zip(row.cells, self.columns, strict=True)
        return [
            TextCell(self._text(cell, column), cell if isinstance(cell, float | int) else None)
            for cell, column in pairs
        ]

    def _text(self, cell: Cell, column: str) -> str:
        if isinstance(cell, float) and column in self.decimals:
            return f"{cell:.{self.decimals[column]}f}"
        return cell_text(cell, _PRINTED_DIGITS if column.startswith(PRINTED) else _DIGITS)


def cell_text(cell: Cell, digits: int) -> str:
    """A cell for reading: numbers with so many significant digits, nothing for None."""
    if cell is None:
        return ""
    return number(cell, digits) if isinstance(cell, float) else str(cell)


def tidy_csv(sheets: Sequence[Sheet]) -> str:
    """All cells as CSV, one line each: table, every key, column, value; empty cells are left out."""
    keys = tuple(dict.fromkeys(key for sheet in sheets for key in sheet.keys))
    rows: list[list[Cell]] = []
    for sheet in sheets:
        for row in sheet.rows:
            about = dict(zip(sheet.keys, row.keys, strict=True))
            for column, cell in zip(sheet.columns, row.cells, strict=True):
                if cell is not None:
                    rows.append([sheet.name, *(about.get(key, "") for key in keys), column, cell])
    return csv_text(["table", *keys, "column", "value"], rows)
