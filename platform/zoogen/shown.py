"""Values from outside in messages: short, on one line, whatever they are."""

import re
import reprlib
from collections.abc import Iterable

LENGTH = 80  # characters of a value in a message
LINE = 1_000  # characters of a whole message
_MARK = "…"
_RUN = 120  # characters of one word or quotation in a message
_PATH = 240  # and of one that is a path or URI: the user has to find it
_LONG = re.compile(rf"[^\s\"']{{{_RUN + 1},}}|'[^']{{{_RUN + 1},}}'|\"[^\"]{{{_RUN + 1},}}\"")

_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = _repr.maxlong = LENGTH
_repr.maxdict = _repr.maxlist = _repr.maxtuple = _repr.maxset = 3
_repr.maxlevel = 2


def shown(value: object, length: int = LENGTH) -> str:
    """A value as Python writes it, of at most `length` characters.

    Example:
        >>> shown("a\\nb"), shown(10**5000), shown("x" * 1000, 11)
        ("'a\\\\nb'", 'a number of about 5001 digits', "'xxxx…xxxx'")
    """
    if isinstance(value, int) and abs(value) >= 10**LENGTH:  # Python refuses to write those of thousands of digits
        return f"a number of about {int(value.bit_length() * 0.30103) + 1} digits"
    if isinstance(value, str):
        return repr(value) if len(value) <= length - 2 else clipped(repr(clipped(value, length - 2)), length)
    try:
        return clipped(_repr.repr(value), length)
    except (ValueError, RecursionError):
        return f"a {type(value).__name__}"


def clipped(text: str, length: int = LENGTH) -> str:
    """A text on one line, with its middle left out where it is longer than `length`.

    Example:
        >>> clipped("a  b\\nc"), clipped("/a/very/long/path", 9)
        ('a b c', '/a/v…path')
    """
    if len(text) > 4 * length:  # before anything that looks at all of it
        text = text[: 2 * length] + text[-2 * length :]
    text = " ".join(text.split())
    if len(text) <= length:
        return text
    end = (length - 1) // 2
    return text[: length - 1 - end] + _MARK + text[len(text) - end :]


def one_line(message: str, arguments: Iterable[str] = (), length: int = LINE) -> str:
    """A message on one line of bounded length, no word, quotation or argument (`key=value` or its value) longer than
    about 120 characters in it, paths than 240."""

    def cut(words: str) -> str:
        return clipped(words, _PATH if "/" in words and " " not in words else _RUN)

    message = " ".join(message[: 1_000 * length].split())
    for text in (part for argument in arguments for part in (argument, argument.partition("=")[2])):
        if len(text) > _RUN and len(words := " ".join(text.split())) > _RUN:
            message = message.replace(words, cut(words))
    return clipped(_LONG.sub(lambda match: cut(match[0]), message), length)


def listed(parts: Iterable[str], length: int = 400) -> str:
    """Parts of a message behind each other, as many as there is room for (the first in any case), and how many more.

    Example:
        >>> listed(["zoo: wrong", "seed: wrong", "study: wrong"], 25)
        'zoo: wrong; seed: wrong; and 1 more'
    """
    parts = list(parts)
    count, used = 0, 0
    while count < len(parts) and (count == 0 or used + len(parts[count]) <= length):
        used += len(parts[count])
        count += 1
    return "; ".join([*parts[:count], *([f"and {len(parts) - count} more"] if count < len(parts) else [])])
