"""Which object lies at a key, putting another in the place of a damaged one only, and reading ranges of one."""

import fcntl
import json
import os
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import FileIO
from pathlib import Path
from typing import Any, TypeVar

from zoogen.errors import ZoogenError
from zoogen.zoo.clients import Request
from zoogen.zoo.roots import open_inside

T = TypeVar("T")


class Versions(ABC):
    """The part of `ArtifactStore` that tells objects of one key from each other."""

    root: Path | None

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
            pages = obstore.list(self._client("look"), prefix.rstrip("/"))
            return {entry["path"]: _version_of(entry) for page in pages for entry in page}

        self._checked(prefix.rstrip("/"))
        if not self._there():
            return {}
        try:
            versions = self._guard("list", collect)
        except FileNotFoundError:
            return {}
        self._checked_listing(versions)
        return versions

    def replace(self, key: str, data: bytes, version: str) -> bool:
        """Write an object in the place of that of this version (see `version`), which is damaged. False if another
        object, or none, lies there: nobody replaces what somebody else has put there since."""
        path = self.local_path_of(key)

        def put(attempt: int) -> bool:
            if path is not None:
                self._checked(key)
                return _replace_local(path, data, lambda: self.version(key) == version)
            replaced = _replace_remote(self._client("write", len(data)), key, data, version)
            return replaced or (attempt > 0 and self._holds(key, data))

        try:
            return self._persist("write", put)
        except FileNotFoundError:
            return False

    def read_into(self, key: str, places: Sequence[tuple[int, memoryview]]) -> None:
        """Parts of an object, each from a number of bytes on into a place, which it fills unless the object ends.

        Raises:
            ZoogenError: there is no such object, or the store cannot be read.
        """
        root, path = self.root, self.local_path_of(key)

        def read() -> None:
            if root is None or path is None:
                _download_into(self._client("read"), key, places)
            else:
                with open_inside(root, path) as file:
                    _read_into(file, places)

        try:
            self._guard("read", read)
        except FileNotFoundError:
            raise ZoogenError(f"there is no {self.uri_of(key)}; run the stage that makes it") from None

    def _head(self, key: str) -> Mapping[str, Any] | None:
        import obstore

        self._checked(key)
        if not self._there():
            return None
        try:
            return self._guard("read", lambda: obstore.head(self._client("look"), key))
        except FileNotFoundError:
            return None

    @abstractmethod
    def uri_of(self, key: str) -> str: ...

    @abstractmethod
    def local_path_of(self, key: str) -> Path | None: ...

    @abstractmethod
    def _there(self) -> bool: ...

    @abstractmethod
    def _checked(self, key: str) -> str: ...

    @abstractmethod
    def _checked_listing(self, keys: Iterable[str]) -> None: ...

    @abstractmethod
    def _holds(self, key: str, data: bytes) -> bool: ...

    @abstractmethod
    def _client(self, request: Request, size: int = 0) -> Any: ...

    @abstractmethod
    def _guard(self, verb: str, call: Callable[[], T]) -> T: ...

    @abstractmethod
    def _persist(self, verb: str, call: Callable[[int], T]) -> T: ...


def _version_of(entry: Mapping[str, Any]) -> str:
    return json.dumps({name: entry[name] for name in ("e_tag", "version") if entry.get(name)})


def _download_into(client: Any, key: str, places: Sequence[tuple[int, memoryview]]) -> None:
    import obstore

    starts = [start for start, _ in places]
    ends = [start + len(place) for start, place in places]
    for data, (_, place) in zip(obstore.get_ranges(client, key, starts=starts, ends=ends), places, strict=True):
        place[: len(data)] = data


def _read_into(file: FileIO, places: Sequence[tuple[int, memoryview]]) -> None:
    for start, place in places:
        file.seek(start)
        while place and (count := file.readinto(place)):
            place = place[count:]


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
