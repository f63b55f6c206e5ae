"""JSON, YAML and text from outside, read within bounds of size, depth and digits.

Whatever the text holds, the answer is plain data that everything behind can walk through, or a ValueError of one short
line. Nothing that a text names is called or opened.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from zoogen.shown import shown

CONFIGURATION_BYTES = 2**18  # of a configuration file; the longest of ours has 5,000
RECORD_BYTES = 2**28  # of a record, a manifest or a header
DEPTH = 64  # sections within each other
NODES = 100_000  # values of a YAML text; what aliases stand for counts as often as it is used
DIGITS = 64  # of a whole number


def read_text(path: Path, limit: int = CONFIGURATION_BYTES) -> str:
    """The text of a file in UTF-8.

    Raises:
        OSError: it cannot be read.
        ValueError: it is larger than the limit, or no such text.
    """
    return read_bytes(path, limit).decode("utf-8")


def read_bytes(path: Path, limit: int = RECORD_BYTES) -> bytes:
    """The bytes of a file, or of a stream up to the limit.

    Raises:
        OSError: it cannot be read.
        ValueError: it is larger than the limit.
    """
    with path.open("rb") as file:
        data = file.read(limit + 1)
    _check_size(data, limit)
    return data


def parse_json(text: bytes | str, limit: int = RECORD_BYTES) -> Any:
    """Plain data of a JSON text.

    Raises:
        ValueError: it is none, or larger, deeper or with longer numbers than allowed.
    """
    _check_size(text, limit)
    try:
        value = json.loads(text, parse_int=_whole_number)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    _check_nodes(value, len(text))
    return value


def parse_yaml(text: str, limit: int = CONFIGURATION_BYTES) -> Any:
    """Plain data of a YAML text; a key that stands twice in a section is refused.

    Raises:
        ValueError: it is none, or larger, deeper or with longer numbers than allowed.
    """
    _check_size(text, limit)
    try:
        value = yaml.load(text, Loader=_Loader)  # noqa: S506  a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        raise ValueError(f"{place}{' '.join(filter(None, (error.context, error.problem)))}") from None
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    except (ArithmeticError, TypeError, LookupError, AttributeError):  # of values such as `!!timestamp 9`
        raise ValueError("a value does not fit its tag") from None
    _check_nodes(value, NODES)
    return value


_TOO_DEEP = f"it is nested more than {DEPTH} deep"


class _Loader(yaml.SafeLoader):
    """Plain values alone. The depth is bounded while the text is read: what lies deeper is never looked at."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.depth > DEPTH:
            raise ValueError(_TOO_DEEP)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def flatten_mapping(self, node: Any) -> None:
        """Before merged keys (`<<`) are added: what stands twice would win in silence."""
        names = set[str]()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if key.value in names:
                    raise ValueError(f"line {key.start_mark.line + 1}: the key {shown(key.value)} stands there twice")
                names.add(key.value)
        super().flatten_mapping(node)


def _bounded_integer(loader: Any, node: Any) -> Any:
    _check_digits(loader.construct_scalar(node))
    return yaml.SafeLoader.construct_yaml_int(loader, node)


_Loader.add_constructor("tag:yaml.org,2002:int", _bounded_integer)


def _whole_number(text: str) -> int:
    _check_digits(text)
    return int(text)


def _check_digits(text: str) -> None:
    if len(text) > DIGITS + 2:  # a sign, a prefix
        raise ValueError(f"a whole number has {len(text)} digits, and {DIGITS} are allowed")


def _check_size(text: bytes | str, limit: int) -> None:
    if len(text) > limit:
        raise ValueError(f"it has more than {limit:,} bytes")


def _check_nodes(value: Any, limit: int) -> None:
    """Bounds of what walks through the value later: aliases may multiply it, or make it endless."""
    stack, count = [(value, 0)], 0
    while stack:
        node, depth = stack.pop()
        if not isinstance(node, dict | list | tuple | set):
            continue
        if depth >= DEPTH:
            raise ValueError(_TOO_DEEP)
        count += len(node)
        if count > limit:
            raise ValueError(f"it holds more than {limit:,} values")
        members = node.values() if isinstance(node, Mapping) else node
        stack.extend((member, depth + 1) for member in members if isinstance(member, dict | list | tuple | set))
