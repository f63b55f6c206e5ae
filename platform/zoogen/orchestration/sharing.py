"""Whether workers see the driver's artifact root, asked before any of them is given work."""

import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoogen.errors import ZoogenError
from zoogen.zoo.store import MARKER, ArtifactStore

_APPEARS_SECONDS = 3.0  # in which a file of another machine appears in a shared folder
_LATE_SECONDS = 20.0  # after the first machine's answer, the others' are not waited for any longer


@dataclass(frozen=True)
class Arrival:
    """A worker's first answer.

    Attributes:
        process: its id.
        node: Ray's id of its machine.
        obstacle: why it cannot work with the driver's artifact root, empty if it can.
    """

    process: int
    node: str
    obstacle: str


@contextmanager
def mark(store: ArtifactStore) -> Iterator[str]:
    """For as long as the block runs: a file in a local root by whose name workers recognise it. Empty for other roots.

    Raises:
        ZoogenError: the root cannot be written.
    """
    store.check()
    if store.root is None:
        yield ""
        return
    path = store.root / f".shared-{secrets.token_hex(8)}"
    try:
        path.touch(exist_ok=False)
    except OSError as error:
        raise ZoogenError(f"cannot write below {store.uri}: {error.strerror}; choose another root") from None
    try:
        yield path.name
    finally:
        path.unlink(missing_ok=True)


def obstacle(store: ArtifactStore, name: str) -> str:
    """Why this process cannot use the root that the driver has marked with a name; empty if it can."""
    here = socket.gethostname()
    try:
        if not (_appears(store.root / name) if store.root is not None else store.exists(MARKER)):
            return (
                f"the worker on {here} does not see the driver's {store.uri}: its machine does not share this folder; "
                "give a shared folder or a URI such as s3://bucket/prefix"
            )
        store.check()
    except ZoogenError as error:
        return f"the worker on {here}: {error}"
    return ""


def _appears(path: Path) -> bool:
    deadline = time.monotonic() + _APPEARS_SECONDS
    while not path.exists():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.1)
    return True


class Gate:
    """Closed until a worker of each machine that can hold one has answered, so that nothing is trained for nothing.

    Args:
        ray: the connected Ray.
        cpus, gpus: what a worker reserves.
    """

    def __init__(self, ray: Any, cpus: float, gpus: float) -> None:
        alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        self._nodes = sum(there.get("CPU", 0) >= cpus and there.get("GPU", 0) >= gpus for there in alive)
        self._answered: set[str] = set()
        self._first: float | None = None
        self._open = False

    def answered(self, node: str) -> None:
        """A machine's worker can work."""
        self._first = self._first or time.monotonic()
        self._answered.add(node)

    @property
    def opened(self) -> bool:
        """Whether it has been open."""
        return self._open

    def is_open(self, workers: int, ready: int) -> bool:
        """Whether work may be given out; once open it stays so.

        Args:
            workers: that were started.
            ready: of these, that have answered.
        """
        late = self._first is not None and time.monotonic() - self._first > _LATE_SECONDS
        everybody = 0 < workers == ready or 0 < min(self._nodes, workers) <= len(self._answered)
        self._open = self._open or everybody or late
        return self._open
