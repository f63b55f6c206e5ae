"""Which object lies at a key, putting another in the place of a damaged one only, and reading ranges of one."""

import fcntl
import json
import os
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from zoogen.errors import ZoogenError

T = TypeVar("T")


class Versions(ABC):
    """The part of `ArtifactStore` that tells objects of one key from each other."""

    def version(self, key: str) -> str:
        """What tells an object from any other that will lie at its key; empty if none lies there."""
        entry = self._head(key)
        return _version_of(entry) if entry is not None else ""

    def size(self, key: str) -> int:
        """Length of an object in bytes.

        Raises:
            ZoogenError: there is none, or the store cannot be read.
        """
        entry = self._head(key)
        if entry is None:
            raise ZoogenError(f"there is no {self.uri_of(key)}; run the stage that makes it")
        return int(entry["size"])

    def versions(self, prefix: str) -> dict[str, str]:
        """The objects below the folder `prefix` (whole segments) with their versions. Empty if there are none."""
        import obstore

        def collect() -> dict[str, str]:
            pages = obstore.list(self._client(quick=True), prefix.rstrip("/"))
            return {entry["path"]: _version_of(entry) for page in pages for entry in page}

        self.uri_of(prefix.rstrip("/"))  # a wrong one is an error
        if not self._there():
            return {}
        try:
            return self._guard("list", collect)
        except FileNotFoundError:
            return {}

    def replace(self, key: str, data: bytes, version: str) -> bool:
        """Write an object in the place of that of this version (see `version`), which is damaged. False if another
        object, or none, lies there: nobody replaces what somebody else has put there since."""
        path = self.local_path_of(key)
        self.uri_of(key)
        try:
            if path is None:
                return self._guard("write", lambda: _replace_remote(self._client(), key, data, version))
            return self._guard("write", lambda: _replace_local(path, data, lambda: self.version(key) == version))
        except FileNotFoundError:
            return False

    def get_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Parts of an object, each from a number of bytes to before another.

        Raises:
            ZoogenError: there is no such object, or the store cannot be read.
        """
        import obstore

        starts, ends = [start for start, _ in ranges], [end for _, end in ranges]
        self.uri_of(key)
        try:
            parts = self._guard("read", lambda: obstore.get_ranges(self._client(), key, starts=starts, ends=ends))
        except FileNotFoundError:
            raise ZoogenError(f"there is no {self.uri_of(key)}; run the stage that makes it") from None
        return [bytes(part) for part in parts]

    def _head(self, key: str) -> Mapping[str, Any] | None:
        import obstore

        self.uri_of(key)
        if not self._there():
            return None
        try:
            return self._guard("read", lambda: obstore.head(self._client(quick=True), key))
        except FileNotFoundError:
            return None

    @abstractmethod
    def uri_of(self, key: str) -> str: ...

    @abstractmethod
    def local_path_of(self, key: str) -> Path | None: ...

    @abstractmethod
    def _there(self) -> bool: ...

    @abstractmethod
    def _client(self, quick: bool = False) -> Any: ...

    @abstractmethod
    def _guard(self, verb: str, call: Callable[[], T]) -> T: ...


def _version_of(entry: Mapping[str, Any]) -> str:
    return json.dumps({name: entry[name] for name in ("e_tag", "version") if entry.get(name)})


def _replace_remote(client: Any, key: str, data: bytes, version: str) -> bool:
    """By a conditional PUT."""
    import obstore
    from obstore.exceptions import PreconditionError

    try:
        obstore.put(client, key, data, mode=json.loads(version), use_multipart=False)
    except PreconditionError:
        return False
    return True


def _replace_local(path: Path, data: bytes, unchanged: Callable[[], bool]) -> bool:
    """At once, and never seen in part. Those who replace files of one folder wait for each other (a lock on the
    folder), so that nobody replaces what another has just put there."""
    # The store's own form of names for what is being written: such files are in no listing.
    staged = path.with_name(f"{path.name}#{random.SystemRandom().randrange(2**63)}")
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        with open(staged, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fcntl.flock(folder, fcntl.LOCK_EX)
        if not unchanged():
            return False
        os.replace(staged, path)
        return True
    finally:
        staged.unlink(missing_ok=True)
        os.close(folder)
