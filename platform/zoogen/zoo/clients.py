"""Clients of a root, by what is asked of it: each request has the time that its size may take, and no more."""

import os
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from zoogen.errors import ZoogenError
from zoogen.zoo.faults import ENDPOINT_VARIABLES, first_line

Request = Literal["look", "read", "write"]  # what is there; an object's bytes; an object into its place

_FIRST_S, _STALLED_S = 4, 20  # seconds without an answer: of a root that never gave one, of one that did
_SLOWEST = 128 * 2**10  # bytes per second of an upload that is not given up
_MEMORY: dict[str, Any] = {}  # memory:// stores of this process by URI


class Clients:
    """Clients of one root, made when they are first needed. None of them tries again: that is the store's business,
    which counts seconds.

    Raises:
        ZoogenError: the URI is none that obstore knows.
    """

    def __init__(self, uri: str, root: Path | None) -> None:
        self._uri, self._root = uri, root
        self._clients: dict[tuple[tuple[str, str], ...], Any] = {}
        if root is None:
            self.of("look", 0, False)  # parses the URI, asks nobody

    def of(self, request: Request, size: int, reached: bool) -> Any:
        """The client for a request.

        Args:
            size: bytes that are sent.
            reached: whether the root has answered before.
        """
        timeouts = {} if self._root is not None else _timeouts(request, size, reached)
        key = tuple(timeouts.items())
        if key not in self._clients:
            self._clients[key] = self._connect(timeouts)
        return self._clients[key]

    def _connect(self, timeouts: dict[str, str]) -> Any:
        from obstore.store import LocalStore, MemoryStore, from_url

        if self._root is not None:
            return LocalStore(self._root)
        if urlsplit(self._uri).scheme == "memory":
            return _MEMORY.setdefault(self._uri, MemoryStore())
        plain_http = any(os.environ.get(name, "").startswith("http://") for name in ENDPOINT_VARIABLES)
        options: Any = {**timeouts, "connect_timeout": "3s", "allow_http": plain_http}
        once: Any = {"max_retries": 0}
        try:
            return from_url(self._uri, client_options=options, retry_config=once)
        except Exception as error:
            raise ZoogenError(f"{self._uri!r} is no usable artifact root: {first_line(error)}") from None


def _timeouts(request: Request, size: int, reached: bool) -> dict[str, str]:
    stalled = _STALLED_S if reached else _FIRST_S
    if request == "read":  # whose size is not known: no pause may be longer
        return {"timeout": "86400s", "read_timeout": f"{stalled}s"}
    if request == "look":
        return {"timeout": f"{stalled}s"}
    # Of an upload only the end is seen. Few different values, so that clients and their connections are used again.
    seconds = stalled
    while seconds < size / _SLOWEST:
        seconds *= 2
    return {"timeout": f"{seconds}s"}
