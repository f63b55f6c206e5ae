"""Published accuracies of classifiers, and a paper's tables as they are printed."""

import fnmatch
from functools import cache
from typing import Literal

from pydantic import model_validator

from zoogen.evaluation.records import Record
from zoogen.reports.published.numbers import parse_as, published_files

FORM = "accuracy"
PublishedCell = float | int | tuple[float, float]  # a pair is a range


class PublishedAccuracy(Record):
    """One structure of a results table, in %.

    Attributes:
        statistic: of the networks: the best or the mean.
    """

    table: int
    statistic: Literal["best", "mean"]
    original: float
    ensemble: float | None = None
    generated: float


class PublishedTable(Record):
    """A table as it is printed.

    Attributes:
        table: number and letter.
        setting: network and data.
        key: what the rows are about.
        rows: name to one cell per column.
        notes: what is odd about the printed numbers.
    """

    table: str
    title: str
    setting: str
    key: str
    columns: tuple[str, ...]
    rows: dict[str, tuple[PublishedCell, ...]]
    notes: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _number(cls, values: dict[str, object]) -> dict[str, object]:
        return {**values, "table": str(values.get("table", ""))}

    @model_validator(mode="after")
    def _one_cell_per_column(self) -> "PublishedTable":
        if any(len(row) != len(self.columns) for row in self.rows.values()):
            raise ValueError(f"table {self.table} needs {len(self.columns)} cells in every row")
        return self


class PublishedAccuracies(Record):
    """All numbers of a paper on classifiers.

    Attributes:
        task: the kind of task.
        results: canonical structure (`network@data`) to its accuracies.
        orientation: pattern of networks to the structure whose numbers stand beside them on other data sets.
    """

    form: Literal["accuracy"]
    paper: str
    task: str
    notes: tuple[str, ...] = ()
    results: dict[str, PublishedAccuracy]
    orientation: dict[str, str] = {}
    tables: tuple[PublishedTable, ...] = ()

    def beside(self, structure: str) -> tuple[str, PublishedAccuracy] | None:
        """The structure itself and its numbers, or those to compare with for orientation; None without any."""
        if structure in self.results:
            return structure, self.results[structure]
        network = structure.partition("@")[0]
        for pattern, other in self.orientation.items():
            if fnmatch.fnmatchcase(network, pattern):
                return other, self.results[other]
        return None


@cache
def published_accuracies(kind: str) -> PublishedAccuracies | None:
    """The published accuracies of a kind of task, None if there are none.

    Raises:
        ZoogenError: a file does not have the form above.
    """
    parsed = (parse_accuracies(text, name) for name, text in published_files(FORM).items())
    return next((numbers for numbers in parsed if numbers.task == kind), None)


def parse_accuracies(text: str, where: str) -> PublishedAccuracies:
    """Read a published file.

    Raises:
        ZoogenError: it does not have the form of `PublishedAccuracies`.
    """
    return parse_as(PublishedAccuracies, "accuracies", text, where)
