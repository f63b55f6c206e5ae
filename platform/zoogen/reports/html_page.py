"""A report as one HTML file that needs nothing else: no network, no script or style but its own.

A Content-Security-Policy forbids all loading and any script or style but these two, named by their hashes, so that
even markup that slipped through the escaping would not run.
"""

import base64
import hashlib
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from zoogen.evaluation.result import Environment as Machine
from zoogen.reports.named_evaluations import GENERATED
from zoogen.reports.sheets import Sheet
from zoogen.reports.text_tables import TextTable

PAGE = "report.html"
EMBEDDED_BYTES = 4 * 2**20  # of all figures in a page; base64 makes a third more of them
_FLAT = 4  # times as wide as high: many structures side by side
_TONES = {"new and good": "good", "as good as trained": "good", "better than the baselines": "good"}
_BAD = ("memorised", "no better than ", "as bad as ", "worse than trained", "new, but worse")


@dataclass(frozen=True)
class Block:
    """A table with its heading and remarks."""

    title: str
    table: TextTable
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, sheet: Sheet) -> "Block":
        return cls(sheet.title, sheet.table(), sheet.notes)


@dataclass(frozen=True)
class Section:
    """Tables under a heading."""

    title: str
    blocks: tuple[Block, ...]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """A PNG, by the name of its file and in words."""

    name: str
    title: str
    data: bytes

    @property
    def base64(self) -> str:
        return base64.b64encode(self.data).decode()

    @property
    def width(self) -> int:
        return self._size[0]

    @property
    def height(self) -> int:
        return self._size[1]

    @property
    def wide(self) -> bool:
        """Whether it would be too flat to read at the width of a page."""
        return self.width > _FLAT * self.height

    @property
    def _size(self) -> tuple[int, int]:
        width, height = struct.unpack(">II", self.data[16:24])  # the header chunk of every PNG
        return width, height


@dataclass(frozen=True)
class Link:
    """A relative address, made of safe characters, and its text."""

    target: str
    text: str


@dataclass(frozen=True)
class Made:
    """Of what something was made: facts by name, and the configuration as YAML."""

    title: str
    facts: Mapping[str, str]
    configuration: str

    @classmethod
    def of(cls, title: str, configuration: Mapping[str, Any], inputs: Mapping[str, Any], machine: Machine) -> "Made":
        """Seeds, digests, date, revision, hardware and versions."""
        facts = {
            "seeds": _listed(seeds(configuration)),
            "made of": _listed({name: value for name, value in inputs.items() if value}),
            "date": machine.date,
            "revision": machine.git,
            "hardware": _listed(machine.hardware),
            "versions": _listed(machine.versions),
        }
        text = yaml.safe_dump(dict(configuration), sort_keys=False, allow_unicode=True, default_flow_style=None)
        return cls(title, {name: value for name, value in facts.items() if value}, text)


@dataclass(frozen=True)
class HtmlPage:
    """What a report says, verdicts first.

    Attributes:
        about: one line below the title.
        verdicts: sentences with the numbers behind the verdicts.
        overview: the table of verdicts.
        links: pages in folders beside this one.
        figures: embedded in order, up to EMBEDDED_BYTES together; the others are named.
        command: what made the page.
    """

    title: str
    about: str
    verdicts: tuple[str, ...]
    sections: tuple[Section, ...]
    figures: tuple[Picture, ...] = ()
    overview: Block | None = None
    notices: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    command: str = ""
    origins: tuple[Made, ...] = field(default=())

    def render(self) -> bytes:
        """The whole file."""
        embedded, left_out = _within_budget(self.figures)
        style, script = _asset("report.css"), _asset("report.js")
        policy = (
            f"default-src 'none'; img-src data:; style-src 'sha256-{_hash(style)}'; "
            f"script-src 'sha256-{_hash(script)}'; base-uri 'none'; form-action 'none'"
        )
        text = _template().render(
            page=self,
            policy=policy,
            style=Markup(style),  # our own files, the only text that is not escaped
            script=Markup(script),
            embedded=embedded,
            left_out=left_out,
            generated=GENERATED,
            exact=_exact,
            tone=_tone,
        )
        return text.encode()


def seeds(configuration: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Every seed of a nested configuration by its dotted key.

    Example:
        >>> seeds({"seed": 0, "zoo": {"seed": 7, "runs": 4}})
        {'seed': 0, 'zoo.seed': 7}
    """
    found: dict[str, Any] = {}
    for key, value in configuration.items():
        if isinstance(value, Mapping):
            found |= seeds(value, f"{prefix}{key}.")
        elif key == "seed":
            found[f"{prefix}{key}"] = value
    return found


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _exact(value: float | None) -> str | None:
    """All digits of a number as JavaScript reads them; None where there is none."""
    if value is None or math.isnan(value):
        return None
    return repr(value) if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"


def _tone(text: str) -> str:
    """Class of a verdict, for its colour; the words say the same."""
    if text in _TONES:
        return f" {_TONES[text]}"
    return " bad" if text.startswith(_BAD) else ""


def _within_budget(figures: Sequence[Picture]) -> tuple[list[Picture], list[str]]:
    embedded, left_out, spent = [], [], 0
    for figure in figures:
        if spent + len(figure.data) > EMBEDDED_BYTES:
            left_out.append(figure.name)
            continue
        spent += len(figure.data)
        embedded.append(figure)
    return embedded, left_out


@lru_cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("zoogen.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _template() -> Template:
    return _environment().get_template("report.html.j2")


@lru_cache
def _asset(name: str) -> str:
    environment = _environment()
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
