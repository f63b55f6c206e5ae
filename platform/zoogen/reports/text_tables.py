"""A table as text: written as Markdown and CSV here, and shown as HTML by `html_page`."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class TextCell:
    """A cell for reading; `value` is the number behind it in full, None where it is no number."""

    text: str
    value: float | None = None


@dataclass(frozen=True)
class TextTable:
    """Titles and rows of equal length; the first `left` columns are words, the others numbers."""

    titles: tuple[str, ...]
    rows: tuple[tuple[TextCell, ...], ...]
    left: int

    @property
    def words(self) -> tuple[bool, ...]:
        """Whether a column holds words: one of the first, or one with texts and without a number."""
        columns = list(zip(*self.rows, strict=True)) if self.rows else [()] * len(self.titles)
        return tuple(
            index < self.left or (any(cell.text for cell in cells) and all(cell.value is None for cell in cells))
            for index, cells in enumerate(columns)
        )

    def markdown(self) -> list[str]:
        """Lines of Markdown: titles, rule, rows."""
        return markdown_table(self.titles, [[cell.text for cell in row] for row in self.rows], self.left)


def markdown_table(titles: Sequence[str], rows: Iterable[Sequence[str]], left: int | None = None) -> list[str]:
    """Lines of a Markdown table; the first `left` columns are aligned left, all of them by default, others right.

    Example:
        >>> markdown_table(["run", "loss"], [["a|b", "1"]], left=1)
        ['| run | loss |', '|-|-:|', '| a\\\\|b | 1 |']
    """
    words = len(titles) if left is None else left
    rule = "|" + "-|" * words + "-:|" * (len(titles) - words)
    return [_line(titles), rule, *map(_line, rows)]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def csv_text(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """CSV with a line of titles; nothing for None, all digits of numbers."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(titles)
    writer.writerows(rows)
    return text.getvalue()
