"""Keys and values as MLflow accepts them."""

import json
import re
from collections.abc import Mapping
from typing import Any

MAX_PARAM_VALUE = 500  # characters that every MLflow server accepts; the resolved configuration is logged whole
MAX_KEY = 250
MAX_TAG_VALUE = 5000


def flatten(mapping: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings to dotted keys and text, lists as JSON.

    Example:
        >>> flatten({"zoo": {"runs": 8, "structures": ["A", "B"]}})
        {'zoo.runs': '8', 'zoo.structures': '["A", "B"]'}
    """
    flat: dict[str, str] = {}
    for key, value in mapping.items():
        name = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(value, Mapping):
            flat.update(flatten(value, name))
        else:
            text = value if isinstance(value, str) else json.dumps(value, default=str)
            flat[safe_key(name)] = shorten(text, MAX_PARAM_VALUE)
    return flat


def safe_key(name: str) -> str:
    """The name with the characters that MLflow allows in keys; `A*` becomes `A-star`."""
    text = re.sub(r"[^\w\-. :/]", "_", name.replace("*", "-star"), flags=re.ASCII)
    return text.strip("/")[:MAX_KEY]


def short_reason(problem: object) -> str:
    """One line of an error, without the statement and the links that SQLAlchemy adds."""
    text = re.split(r"\s*\[SQL:|\s*\(Background on", str(problem))[0]
    return shorten(" ".join(text.split()), 200) or type(problem).__name__


def shorten(text: str, limit: int) -> str:
    """The text cut to `limit` characters with a mark where something is missing."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
