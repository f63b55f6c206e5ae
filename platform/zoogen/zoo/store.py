"""Immutable objects under one root: a local folder or any URI that obstore knows.

An object is written once, whole, or not at all: `put_if_absent` is an atomic create on a local disk
(staged file, then a hard link) and a conditional PUT (`If-None-Match: *`) on S3, GCS and Azure. So
an object that is there is complete, and whoever writes it second learns that it was there.

A store that is away for a while is asked again for so long as `StoreConfig` says; a root that never
answered is told as wrong within seconds.
"""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from zoogen.errors import ZoogenError
from zoogen.zoo.clients import Clients, Request
from zoogen.zoo.faults import explain, passes
from zoogen.zoo.patience import FIRST_SECONDS, Say, StoreConfig, Transient, patiently
from zoogen.zoo.roots import inside, local_root, open_inside, require_inside, validate_key
from zoogen.zoo.versions import Versions

MARKER = "zoogen.json"  # written at the root before a build: proves in a second that the root can be written to
_MARKER_CONTENT = b'{"format":1}\n'

T = TypeVar("T")


class ArtifactStore(Versions):
    """Objects under a root, by key.

    Args:
        uri: a local path, `file:///…`, `s3://bucket/prefix` (endpoint from `AWS_ENDPOINT_URL`,
            credentials from `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` or the machine's role),
            `gs://…`, `az://…`, or `memory://name` (lives as long as the process).

        patience: for how long a store that does not answer is asked again.
        say: told what is waited for; standard error by default.

    Attributes:
        reached: whether the root has answered; until then it may be a wrong address, and nobody waits for it long.

    Nothing is read or written until a method is called. Symbolic links below the root that lead out of it are errors.

    Raises:
        ZoogenError: the URI is malformed or holds a key; later, the root cannot be reached, read or written.

    Example:
        >>> store = ArtifactStore("memory://example")
        >>> store.put_if_absent("zoo/a.json", b"{}"), store.put_if_absent("zoo/a.json", b"[]")
        (True, False)
        >>> store.get("zoo/a.json")
        b'{}'
    """

    def __init__(self, uri: str | Path, patience: StoreConfig | None = None, say: Say | None = None) -> None:
        self.root: Path | None = local_root(str(uri))
        self.uri = self.root.as_uri() if self.root is not None else str(uri).rstrip("/")
        self.patience, self.say = patience or StoreConfig(), say or _to_standard_error
        self.reached = False
        self._clients = Clients(self.uri, self.root)

    def __repr__(self) -> str:
        return f"ArtifactStore({self.uri!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # By its address: credentials and connections do not travel.
        return _arrived, (self.uri, self.patience.write_s, self.patience.read_s, self.reached)

    def check(self) -> None:
        """Make sure that the root can be written to, before hours of work depend on it.

        Raises:
            ZoogenError: it cannot (within about 10 seconds, unless it has answered before).
        """
        self.put_if_absent(MARKER, _MARKER_CONTENT)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Write an object unless it is there. True if this call wrote it."""
        import obstore
        from obstore.exceptions import AlreadyExistsError

        def create(attempt: int) -> bool:
            self._checked(key)
            if self.root is not None:
                self.root.mkdir(parents=True, exist_ok=True)
            try:
                # One request per object: multipart uploads know no create-if-absent.
                obstore.put(self._client("write", len(data)), key, data, mode="create", use_multipart=False)
            except AlreadyExistsError as error:
                if "ConditionalRequestConflict" in str(error):  # S3: somebody else is writing it right now
                    raise Transient(f"another process is writing {key}") from None
                return attempt > 0 and self._holds(key, data)
            return True

        self._checked(key)
        try:
            return self._persist("write", create)
        except FileNotFoundError:
            raise ZoogenError(f"cannot write {self.uri_of(key)}: no such bucket or folder; create it first") from None

    def get(self, key: str) -> bytes:
        """The object's bytes.

        Raises:
            ZoogenError: there is none, or the store cannot be read.
        """
        try:
            return self._guard("read", lambda: self._read(key))
        except FileNotFoundError:
            raise ZoogenError(f"there is no {self.uri_of(key)}; run the stage that makes it") from None

    def exists(self, key: str) -> bool:
        """Whether the object is there."""
        return self._head(key) is not None

    def list(self, prefix: str) -> list[str]:
        """Keys below the folder `prefix` (whole segments), sorted. Empty if there are none."""
        return sorted(self.versions(prefix))

    def uri_of(self, key: str) -> str:
        """URI of an object."""
        return f"{self.uri}/{validate_key(key)}"

    def local_path_of(self, key: str) -> Path | None:
        """Path of an object on this machine, None for a remote store.

        Raises:
            ZoogenError: a symbolic link on the way leads out of the root.
        """
        self._checked(key)
        return self.root / key if self.root is not None else None

    def folder(self, *names: str) -> Path | None:
        """A folder below the root on this machine, for what is no object, such as reports; None for a remote store.

        Raises:
            ZoogenError: a symbolic link on the way leads out of the root.
        """
        return inside(self.root, self.root.joinpath(*names)) if self.root is not None else None

    def _there(self) -> bool:
        return self.root is None or self.root.is_dir()  # reading never makes a folder

    def _checked(self, key: str) -> str:
        validate_key(key)
        if self.root is not None:
            inside(self.root, self.root / key)
        return key

    def _checked_listing(self, keys: Iterable[str]) -> None:
        if self.root is not None:
            require_inside(self.root, keys)

    def _read(self, key: str) -> bytes:
        import obstore

        self._checked(key)
        if self.root is None:
            return bytes(obstore.get(self._client("read"), key).bytes())
        try:
            with open_inside(self.root, self.root / key) as file:
                return file.read()
        except (IsADirectoryError, NotADirectoryError):
            raise FileNotFoundError(key) from None

    def _holds(self, key: str, data: bytes) -> bool:
        """Whether an object has these bytes: an earlier attempt was carried out, and its answer got lost."""
        try:
            return self._read(key) == data
        except FileNotFoundError:
            raise Transient(f"{key} was removed while it was written") from None

    def _client(self, request: Request, size: int = 0) -> Any:
        return self._clients.of(request, size, self.reached)

    def _guard(self, verb: str, call: Callable[[], T]) -> T:
        """`_persist` of what does not depend on earlier attempts."""
        return self._persist(verb, lambda _: call())

    def _persist(self, verb: str, call: Callable[[int], T]) -> T:
        """Run `call(earlier attempts)`, again while what is wrong may pass; whatever a store or a disk may say becomes
        one line. FileNotFoundError passes."""
        from obstore.exceptions import BaseError

        writing = verb == "write"

        def once(attempt: int) -> T:
            try:
                result = call(attempt)
            except FileNotFoundError:
                self.reached = True
                raise
            except (OSError, BaseError, ValueError) as error:
                if passes(error, local=self.root is not None, writing=writing):
                    raise Transient(explain(error)) from None
                raise ZoogenError(f"cannot {verb} below {self.uri}: {explain(error)}") from None
            self.reached = True
            return result

        patience = self.patience.write_s if writing else self.patience.read_s
        seconds = patience if self.reached else min(FIRST_SECONDS, patience)
        try:
            return patiently(once, seconds, self.say, f"cannot {verb} below {self.uri}")
        except Transient as error:
            asked = f" (asked again for {seconds:.0f} s)" if seconds >= 1 else ""
            raise ZoogenError(f"cannot {verb} below {self.uri}: {error.reason}{asked}") from None


def _to_standard_error(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _arrived(uri: str, write_s: float, read_s: float, reached: bool) -> ArtifactStore:
    """A store as it was sent from another process."""
    store = ArtifactStore(uri, StoreConfig(write_s=write_s, read_s=read_s))
    store.reached = reached
    return store
