"""Keys and passwords in texts, which no message, log or record may show."""

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

HIDDEN = "***"

# Every repetition is bounded: texts come from outside, and no text may take more than time in proportion to its length.
# Up to the last @ of the word: a password may hold one, and SQLAlchemy takes slashes in it, too.
_USER = re.compile(r"([A-Za-z][\w+.-]{0,30}://)([^/@:\s]{0,256}):[^\s\"<>]{0,512}@")
# A name alone is a token with these schemes; with others it is a user (postgresql://me@host) or a container (abfss).
_TOKEN = re.compile(r"((?:https?|s3a?|gs|gcs|r2)://)[^/@:\s\"<>]{1,512}@", re.IGNORECASE)
_KEYED_STORES = ("s3", "gs", "gcs", "az", "azure", "adl", "r2")  # their "user" is half of the key
_NAMES = (
    r"pass(?:word|wd|phrase)?|pwd|secret|token|signature|credentials?|(?:api|access|account|private|shared)[_-]?key"
)
_QUERY = re.compile(
    rf"([?&;](?:[\w.%~-]{{0,40}}(?:{_NAMES})[\w.%~-]{{0,40}}|x-(?:amz|goog)-[\w-]{{0,40}}|sig|key|auth(?:orization)?)=)"
    r"[^&\s\"]*",
    re.IGNORECASE,
)
# Outside of URLs only names that are never anything else: `token` is also a part of a sentence.
_STRICT = r"password|passwd|secret[_-]?(?:access[_-]?)?key|(?:access|account|api)[_-]?key(?:[_-]?id)?|session[_-]?token"
_ASSIGNED = re.compile(
    rf"((?:{_STRICT}|client[_-]?secret)[\"']?\s{{0,3}}[=:]\s{{0,3}}[\"']?)[^\s\"'&,;]+", re.IGNORECASE
)
_SECRET_NAME = re.compile(rf"{_STRICT}|client[_-]?secret", re.IGNORECASE)
_BEARER = re.compile(r"(\b(?:Bearer|Basic)\s+)[\w+/=.~-]{8,}")
_AMAZON_KEY = re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")


def masked(text: str) -> str:
    """The text with *** for the passwords, keys and tokens in its URLs and assignments.

    Example:
        >>> masked("cannot reach postgresql://user:secret@host/db?password=secret")
        'cannot reach postgresql://user:***@host/db?password=***'
    """
    text = _TOKEN.sub(rf"\1{HIDDEN}@", _USER.sub(_without_password, text))
    text = _ASSIGNED.sub(rf"\1{HIDDEN}", _QUERY.sub(rf"\1{HIDDEN}", text))
    return _AMAZON_KEY.sub(HIDDEN, _BEARER.sub(rf"\1{HIDDEN}", text))


def masked_settings(settings: Any) -> Any:
    """Nested settings with `masked` applied to every text, and *** for texts that a key calls a secret; tuples become
    lists.

    Example:
        >>> masked_settings({"tracking.uri": "http://u:p@h", "runs": [1, "a"]})
        {'tracking.uri': 'http://u:***@h', 'runs': [1, 'a']}
    """
    if isinstance(settings, str):
        return masked(settings)
    if isinstance(settings, Mapping):
        return {
            key: HIDDEN
            if value and isinstance(value, str) and _SECRET_NAME.search(str(key))
            else masked_settings(value)
            for key, value in settings.items()
        }
    if isinstance(settings, list | tuple):
        return [masked_settings(value) for value in settings]
    return settings


class MaskedStream:
    """A text stream that writes to another one, `masked`; whatever else is asked of it, the other one answers."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(masked(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def mask_output() -> None:
    """From now on everything that Python writes to this process's standard output and error is `masked`."""
    sys.stdout, sys.stderr = _masked(sys.stdout), _masked(sys.stderr)


@contextmanager
def masked_output() -> Iterator[None]:
    """Everything that Python writes to standard output and standard error within is `masked`."""
    before = sys.stdout, sys.stderr
    mask_output()
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _masked(stream: Any) -> Any:
    """The stream masked, once; a process without one keeps none."""
    return stream if stream is None or isinstance(stream, MaskedStream) else MaskedStream(stream)


def _without_password(match: re.Match[str]) -> str:
    scheme, user = match.groups()
    name = HIDDEN if scheme.lower().removesuffix("://") in _KEYED_STORES else user
    return f"{scheme}{name}:{HIDDEN}@"
