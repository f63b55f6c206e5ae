"""Published numbers to stand beside ours, read from the YAML files of this folder.

A paper on another task adds a file of its own; nothing here names a task.
"""

import re
from functools import cache
from importlib import resources
from typing import Literal

import yaml
from pydantic import ValidationError, model_validator

from zoogen.errors import ZoogenError
from zoogen.evaluation.records import R, Record

Factor = Literal["structures", "models"]  # N, M: what the training set holds
FORM = "medians"  # of the files that are read here
_FORM_LINE = re.compile(r"^form: *(\w+)", re.MULTILINE)
SECONDS = "seconds"  # the metric's name of a published time usage


class PublishedResult(Record):
    """One line of a results table.

    Attributes:
        table: number of the table in the paper.
        generated, trained: metric to value for generated and for conventionally trained networks.
        note: what is odd about the printed numbers.
    """

    table: int
    generated: dict[str, float]
    trained: dict[str, float]
    note: str = ""


class PublishedAblation(Record):
    """A table that varies one factor.

    Attributes:
        factor: `structures` (N of the training set) or `models` (M checkpoints per structure).
        metrics: what the numbers of a list in `values` are.
        values: structure to the factor's value to one number per metric.
        notes: structure to what is odd about its printed numbers.
    """

    table: int
    factor: Factor
    metrics: tuple[str, ...]
    values: dict[str, dict[int, tuple[float, ...]]]
    notes: dict[str, str] = {}

    @model_validator(mode="after")
    def _one_number_per_metric(self) -> "PublishedAblation":
        lengths = {len(row) for rows in self.values.values() for row in rows.values()}
        if lengths - {len(self.metrics)}:
            raise ValueError(f"table {self.table} needs {len(self.metrics)} numbers in every list")
        return self

    def value(self, structure: str, level: int, metric: str) -> float | None:
        """The number of a cell, None if the table has none."""
        row = self.values.get(short_label(structure), {}).get(level)
        return row[self.metrics.index(metric)] if row is not None and metric in self.metrics else None


class PublishedVariance(Record):
    """Variance of each tensor over `models` networks: (generated, trained) by the tensor's name."""

    structure: str
    models: int
    tensors: dict[str, tuple[float, float]]
    note: str = ""


class PublishedParameters(Record):
    """Size of a network: number of parameters; `model` is the paper's column."""

    network: str
    model: str
    meaning: str
    count: int


class PublishedNames(Record):
    """What the paper calls generated and conventionally trained networks."""

    generated: str
    trained: str


class Published(Record):
    """All numbers of one paper on one task. Structures are named as in the first word of `Task.label`.

    Attributes:
        metrics: our metrics that belong beside the paper's, lower is better.
        results: structure to its line of the results tables.
        uncertainty: structure to metric to (best, average, median).
        notes: what has to be known to read the numbers.
    """

    paper: str
    task: str
    names: PublishedNames
    metrics: tuple[str, ...]
    notes: tuple[str, ...] = ()
    results: dict[str, PublishedResult] = {}
    ablations: tuple[PublishedAblation, ...] = ()
    uncertainty: dict[str, dict[str, tuple[float, float, float]]] = {}
    uncertainty_notes: dict[str, str] = {}
    variance: tuple[PublishedVariance, ...] = ()
    parameters: tuple[PublishedParameters, ...] = ()

    def result(self, label: str) -> PublishedResult | None:
        """The line of a structure by its label in our tables (`C* 12^3` is the paper's C*)."""
        return self.results.get(short_label(label))

    def ablation(self, label: str, factor: Factor) -> PublishedAblation | None:
        """The table that varies `factor` for a structure."""
        name = short_label(label)
        return next((a for a in self.ablations if a.factor == factor and name in a.values), None)

    def uncertainty_of(self, label: str, metric: str) -> tuple[float, float, float] | None:
        """Best, average and median of a metric on a structure."""
        return self.uncertainty.get(short_label(label), {}).get(metric)

    def variance_of(self, label: str, models: int) -> PublishedVariance | None:
        """The structure's entry whose number of networks is nearest to `models`."""
        found = [entry for entry in self.variance if entry.structure == short_label(label)]
        return min(found, key=lambda entry: abs(entry.models - models), default=None)


def short_label(label: str) -> str:
    """The name of a structure without its description: `C*` of `C* 12^3`."""
    return (label.split() or [label])[0]


@cache
def all_published() -> tuple[Published, ...]:
    """Every published file of this form, by name.

    Raises:
        ZoogenError: a file does not have the form above.
    """
    return tuple(parse_published(text, name) for name, text in published_files(FORM).items())


def published_files(form: str) -> dict[str, str]:
    """Name to text of the YAML files of this folder whose `form` is this one; without one it is FORM."""
    folder = resources.files(__package__)
    texts = {
        entry.name: entry.read_text(encoding="utf-8") for entry in folder.iterdir() if entry.name.endswith(".yaml")
    }
    found = {name: _FORM_LINE.search(text) for name, text in sorted(texts.items())}
    return {name: texts[name] for name, line in found.items() if (line[1] if line else FORM) == form}


def published_for(kind: str) -> Published | None:
    """The published numbers of a kind of task, None if there are none."""
    return next((numbers for numbers in all_published() if numbers.task == kind), None)


def parse_published(text: str, where: str) -> Published:
    """Read a published file.

    Raises:
        ZoogenError: it does not have the form of `Published`.
    """
    return parse_as(Published, "numbers", text, where)


def parse_as(model: type[R], what: str, text: str, where: str) -> R:
    """Read a file of published `what`.

    Raises:
        ZoogenError: it does not have the form of the model.
    """
    try:
        return model.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValidationError) as error:
        raise ZoogenError(f"{where} holds no published {what}: {' '.join(str(error).split())}") from None
