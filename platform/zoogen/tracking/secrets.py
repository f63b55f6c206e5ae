"""Passwords in the URIs of stores, which no message and no record may show."""

import re
from collections.abc import Mapping
from typing import Any

# Up to the last @ of the word: a password may hold one, and SQLAlchemy takes slashes in it, too.
_USER = re.compile(r"([A-Za-z][\w+.-]*://[^/@:\s]*):\S*@")
_OPTION = re.compile(r"([?&]pass(?:word|wd)=)[^&\s]*", re.IGNORECASE)


def hidden_passwords(text: str) -> str:
    """The text with *** for the passwords of its URIs.

    Example:
        >>> hidden_passwords("cannot reach postgresql://user:secret@host/db?password=secret")
        'cannot reach postgresql://user:***@host/db?password=***'
    """
    return _OPTION.sub(r"\1***", _USER.sub(r"\1:***@", text))


def without_passwords(settings: Any) -> Any:
    """Nested settings with `hidden_passwords` in every text; tuples become lists.

    Example:
        >>> without_passwords({"tracking.uri": "http://u:p@h", "runs": [1, "a"]})
        {'tracking.uri': 'http://u:***@h', 'runs': [1, 'a']}
    """
    if isinstance(settings, str):
        return hidden_passwords(settings)
    if isinstance(settings, Mapping):
        return {key: without_passwords(value) for key, value in settings.items()}
    if isinstance(settings, list | tuple):
        return [without_passwords(value) for value in settings]
    return settings
