"""What a structure is made of that is loaded from outside the package, by hash: it names trunks, cohorts and zoos."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from pydantic import Field

from zoogen.config import Config
from zoogen.errors import ZoogenError

SHOWN = 16  # digits of a hash in messages


def _left_out(value: object) -> bool:
    return value is None


class Content(Config):
    """Hashes (XXH3-128) of what was loaded for one structure; None where nothing is loaded, `UNAVAILABLE` for what is
    not to be had.

    Data sets and networks that come with the package are told by their names alone.
    """

    images: str | None = Field(None, exclude_if=_left_out, description="images and labels, before they are resized")
    network: str | None = Field(None, exclude_if=_left_out, description="initial state of one's own network by seed 0")
    published: str | None = Field(None, exclude_if=_left_out, description="published weights that a trunk continues")
    channels: int | None = Field(None, exclude_if=_left_out, description="of the images of one's own data set")
    classes: int | None = Field(None, exclude_if=_left_out, description="of one's own data set")


NOTHING = Content()
UNAVAILABLE = "unavailable"  # in place of a hash: nothing can be made under such a name, and nothing there be found


def require_content(what: str, found: str, wanted: str | None) -> None:
    """Raises:
    ZoogenError: what was loaded is not what artifacts are named by; `wanted` None asks nothing.
    """
    if wanted is not None and found != wanted:
        wanted = wanted[:SHOWN]
        raise ZoogenError(
            f"{what} has the content {found[:SHOWN]} on {platform.node()}, but {wanted} is what these "
            "artifacts are named by: it changed meanwhile, differs between machines, or is random; make it the same "
            "everywhere and run the command again"
        )


_SHARED: ContextVar[dict[str, Content] | None] = ContextVar("contents of data sets", default=None)


@contextmanager
def shared_contents() -> Iterator[None]:
    """Within it tasks that name the same data set load it once, not once each."""
    token = _SHARED.set({})
    try:
        yield
    finally:
        _SHARED.reset(token)


def known_contents() -> dict[str, Content]:
    """Of data sets: those of all tasks within `shared_contents`, else none yet."""
    shared = _SHARED.get()
    return {} if shared is None else shared
