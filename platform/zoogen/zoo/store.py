"""Immutable objects under one root: a local folder or any URI that obstore knows.

An object is written once, whole, or not at all: `put_if_absent` is an atomic create on a local disk
(staged file, then a hard link) and a conditional PUT (`If-None-Match: *`) on S3, GCS and Azure. So
an object that is there is complete, and whoever writes it second learns that it was there.
"""

import os
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from zoogen.errors import ZoogenError
from zoogen.zoo.versions import Versions

MARKER = "zoogen.json"  # written at the root before a build: proves in a second that the root can be written to
_MARKER_CONTENT = b'{"format":1}\n'
_SEGMENT = re.compile(r"[A-Za-z0-9_=+@-][A-Za-z0-9._=+@-]*")  # starts without a dot: excludes . and ..
_SCHEMES = ("file", "memory", "s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl")
_MEMORY: dict[str, Any] = {}  # memory:// stores of this process by URI

# Small requests (list, head, marker) answer or fail within ~10 s; whole objects get the time that
# their size and a flaky network may need, because a trained cohort is worth waiting for.
_QUICK = {"timeout": "4s", "connect_timeout": "3s"}
_PATIENT = {"timeout": "300s", "connect_timeout": "5s"}
_QUICK_RETRY = {"max_retries": 2, "retry_timeout": timedelta(seconds=5)}
_PATIENT_RETRY = {"max_retries": 8, "retry_timeout": timedelta(seconds=60)}

T = TypeVar("T")


def validate_key(key: str) -> str:
    """The key itself: relative segments of letters, digits and `._=+@-`, joined by `/`.

    Raises:
        ZoogenError: the key is absolute, climbs (`..`), is hidden or holds other characters.
    """
    if not key or not all(_SEGMENT.fullmatch(segment) for segment in key.split("/")):
        raise ZoogenError(f"{key!r} is no key of an artifact; keys are relative paths of letters, digits and ._=+@-")
    return key


class ArtifactStore(Versions):
    """Objects under a root, by key.

    Args:
        uri: a local path, `file:///…`, `s3://bucket/prefix` (endpoint from `AWS_ENDPOINT_URL`,
            credentials from `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` or the machine's role),
            `gs://…`, `az://…`, or `memory://name` (lives as long as the process).

    Nothing is read or written until a method is called.

    Raises:
        ZoogenError: the URI is malformed; later, the root cannot be reached, read or written.

    Example:
        >>> store = ArtifactStore("memory://example")
        >>> store.put_if_absent("zoo/a.json", b"{}"), store.put_if_absent("zoo/a.json", b"[]")
        (True, False)
        >>> store.get("zoo/a.json")
        b'{}'
    """

    def __init__(self, uri: str | Path) -> None:
        self.root: Path | None = _local_root(str(uri))
        self.uri = self.root.as_uri() if self.root is not None else str(uri).rstrip("/")
        self._clients: dict[bool, Any] = {}
        if self.root is None:
            self._client(quick=True)  # parses the URI, asks nobody

    def __repr__(self) -> str:
        return f"ArtifactStore({self.uri!r})"

    def __reduce__(self) -> tuple[type["ArtifactStore"], tuple[str]]:
        return ArtifactStore, (self.uri,)  # by its address: credentials and connections do not travel

    def check(self) -> None:
        """Make sure that the root can be written to, before hours of work depend on it.

        Raises:
            ZoogenError: it cannot (within about 10 seconds).
        """
        self._put(MARKER, _MARKER_CONTENT, quick=True)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Write an object unless it is there. True if this call wrote it."""
        return self._put(validate_key(key), data, quick=False)

    def get(self, key: str) -> bytes:
        """The object's bytes.

        Raises:
            ZoogenError: there is none, or the store cannot be read.
        """
        import obstore

        try:
            found = self._guard("read", lambda: obstore.get(self._client(), validate_key(key)).bytes())
        except FileNotFoundError:
            raise ZoogenError(f"there is no {self.uri_of(key)}; run the stage that makes it") from None
        return bytes(found)

    def exists(self, key: str) -> bool:
        """Whether the object is there."""
        import obstore

        validate_key(key)
        if self.root is not None and not self.root.is_dir():
            return False  # reading never makes a folder
        try:
            self._guard("read", lambda: obstore.head(self._client(quick=True), validate_key(key)))
        except FileNotFoundError:
            return False
        return True

    def list(self, prefix: str) -> list[str]:
        """Keys below the folder `prefix` (whole segments), sorted. Empty if there are none."""
        import obstore

        validate_key(prefix.rstrip("/"))
        if self.root is not None and not self.root.is_dir():
            return []  # reading never makes a folder

        def collect() -> list[str]:
            pages = obstore.list(self._client(quick=True), prefix.rstrip("/"))
            return sorted(entry["path"] for page in pages for entry in page)

        try:
            return self._guard("list", collect)
        except FileNotFoundError:
            return []

    def uri_of(self, key: str) -> str:
        """URI of an object."""
        return f"{self.uri}/{validate_key(key)}"

    def local_path_of(self, key: str) -> Path | None:
        """Path of an object on this machine, None for a remote store."""
        return self.root / validate_key(key) if self.root is not None else None

    def _there(self) -> bool:
        return self.root is None or self.root.is_dir()  # reading never makes a folder

    def _put(self, key: str, data: bytes, quick: bool) -> bool:
        import obstore
        from obstore.exceptions import AlreadyExistsError

        def create() -> bool:
            if self.root is not None:
                self.root.mkdir(parents=True, exist_ok=True)
            try:
                # One request per object: multipart uploads know no create-if-absent.
                obstore.put(self._client(quick), key, data, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
            return True

        try:
            return self._guard("write", create)
        except FileNotFoundError:
            raise ZoogenError(f"cannot write {self.uri_of(key)}: no such bucket or folder; create it first") from None

    def _client(self, quick: bool = False) -> Any:
        if quick not in self._clients:
            self._clients[quick] = self._connect(quick)
        return self._clients[quick]

    def _connect(self, quick: bool) -> Any:
        from obstore.store import LocalStore, MemoryStore, from_url

        if self.root is not None:
            return LocalStore(self.root)
        if urlsplit(self.uri).scheme == "memory":
            return _MEMORY.setdefault(self.uri, MemoryStore())
        plain_http = any(os.environ.get(name, "").startswith("http://") for name in _ENDPOINT_VARIABLES)
        client_options = {**(_QUICK if quick else _PATIENT), "allow_http": plain_http}
        retry: Any = _QUICK_RETRY if quick else _PATIENT_RETRY
        try:
            return from_url(self.uri, client_options=client_options, retry_config=retry)  # type: ignore[call-overload]
        except Exception as error:
            raise ZoogenError(f"{self.uri!r} is no usable artifact root: {_first_line(error)}") from None

    def _guard(self, verb: str, call: Callable[[], T]) -> T:
        """Run `call`; whatever a store or a disk may say becomes one line. FileNotFoundError passes."""
        from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

        try:
            return call()
        except (PermissionError, PermissionDeniedError, UnauthenticatedError):
            raise ZoogenError(f"cannot {verb} below {self.uri}: {_DENIED}") from None
        except FileNotFoundError:
            raise
        except (FileExistsError, NotADirectoryError):
            raise ZoogenError(f"cannot {verb} below {self.uri}: a file lies where a folder must be") from None
        except (OSError, BaseError, ValueError) as error:
            raise ZoogenError(f"cannot {verb} below {self.uri}: {self._explain(error)}") from None

    def _explain(self, error: Exception) -> str:
        text = _first_line(error)
        if any(
            path in text
            for path in ("/latest/api/token", "/latest/meta-data", "/computeMetadata", "/metadata/identity")
        ):
            # Without credentials the client asks the cloud machine's metadata service, which is not here.
            return "no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or your provider's variables)"
        if "ermission denied" in text or "403 Forbidden" in text:  # bare digits are in ports and times, too
            return _DENIED
        if "No space left" in text:
            return "no space left on the device"
        if "error sending request" in text or "timed out" in text or "dns error" in text:
            endpoint = next((os.environ[name] for name in _ENDPOINT_VARIABLES if os.environ.get(name)), "its service")
            return f"{endpoint} does not answer; check the address (AWS_ENDPOINT_URL) and the network"
        return text


_DENIED = "access denied; fix the rights or credentials, or choose another root"
_ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]


def _local_root(uri: str) -> Path | None:
    """Absolute path of a local root, None for a remote one."""
    if not uri.strip():
        raise ZoogenError("the artifact root is empty; give a folder or a URI such as s3://bucket/prefix")
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return Path(os.path.abspath(Path(uri).expanduser()))
    if scheme not in _SCHEMES:
        raise ZoogenError(f"artifact root {uri!r} has the unknown scheme {scheme!r}; known: {', '.join(_SCHEMES)}")
    if scheme == "file":
        if not rest.startswith("/"):
            raise ZoogenError(f"artifact root {uri!r} must be absolute: file:///folder")
        return Path(os.path.abspath(unquote(rest)))
    if not rest.strip("/"):
        raise ZoogenError(f"artifact root {uri!r} names no bucket; give {scheme}://bucket/prefix")
    return None
