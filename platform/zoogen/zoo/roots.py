"""Where an artifact root lies: a folder or a URI, without keys in it, and what lies inside it."""

import os
import re
from collections.abc import Iterable
from io import FileIO
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from zoogen.errors import ZoogenError
from zoogen.secrets import masked

_SCHEMES = ("file", "memory", "s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl")
_MISTYPED = re.compile(rf"(?:{'|'.join(_SCHEMES)}|https?):(?!//)", re.IGNORECASE)
_CONTAINER_FIRST = ("abfs", "abfss")  # abfss://container@account.dfs.core.windows.net/path
_VARIABLES = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, an endpoint in AWS_ENDPOINT_URL",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY (or AZURE_STORAGE_SAS_TOKEN)",
}
_PROVIDERS = {"s3a": "s3", "azure": "az", "abfs": "az", "abfss": "az", "adl": "az"}
_SEGMENT = re.compile(r"[A-Za-z0-9_=+@-][A-Za-z0-9._=+@-]*")  # starts without a dot: excludes . and ..


def validate_key(key: str) -> str:
    """The key itself: relative segments of letters, digits and `._=+@-`, joined by `/`.

    Raises:
        ZoogenError: the key is absolute, climbs (`..`), is hidden or holds other characters.
    """
    if not key or not all(_SEGMENT.fullmatch(segment) for segment in key.split("/")):
        raise ZoogenError(f"{key!r} is no key of an artifact; keys are relative paths of letters, digits and ._=+@-")
    return key


def require_no_secret(uri: str) -> str:
    """The URI itself. URIs are shown, recorded and sent to workers, so that none may hold a key.

    Raises:
        ZoogenError: it holds a user, a password, a query or a fragment; the line repeats none of it.
    """
    scheme, separator, rest = uri.partition("://")
    scheme = scheme.lower()
    if not separator:
        if _MISTYPED.match(uri):
            raise ZoogenError(f"the artifact root begins with {uri.partition(':')[0]}: but not ://; write it as a URI")
        return uri
    if scheme in ("file", "memory"):
        return uri  # a path or name, whatever its characters
    place = unquote(rest.partition("/")[0])
    user, at, host = place.rpartition("@")
    container = scheme in _CONTAINER_FIRST and at and ":" not in user
    if (at and not container) or ":" in (host if at else place) or re.search(r"[?#]", rest):
        variables = _VARIABLES.get(_PROVIDERS.get(scheme, scheme), _VARIABLES["s3"])
        raise ZoogenError(
            f"the artifact root ({scheme}://…) holds a user, key, port or query, which would be shown and recorded; "
            f"give {scheme if scheme in _SCHEMES else 's3'}://bucket/prefix alone, credentials in {variables}"
        )
    return uri


def _no_secret(uri: str) -> str:
    try:
        return require_no_secret(uri)
    except ZoogenError as error:
        raise PydanticCustomError("secret", "{reason}", {"reason": str(error)}) from None


ArtifactRoot = Annotated[str, AfterValidator(_no_secret)]  # of a configuration


def local_root(uri: str) -> Path | None:
    """Absolute path of a local root, None for a remote one.

    Raises:
        ZoogenError: the URI is malformed or holds a key.
    """
    if not uri.strip():
        raise ZoogenError("the artifact root is empty; give a folder or a URI such as s3://bucket/prefix")
    scheme, separator, rest = require_no_secret(uri).partition("://")
    shown = masked(repr(uri))
    if not separator:
        return Path(os.path.abspath(Path(uri).expanduser()))
    if scheme not in _SCHEMES:
        raise ZoogenError(f"artifact root {shown} has the unknown scheme {scheme!r}; known: {', '.join(_SCHEMES)}")
    if scheme == "file":
        if not rest.startswith("/"):
            raise ZoogenError(f"artifact root {shown} must be absolute: file:///folder")
        return Path(os.path.abspath(unquote(rest)))
    if not rest.strip("/") or not urlsplit(uri).netloc:
        raise ZoogenError(f"artifact root {shown} names no bucket; give {scheme}://bucket/prefix")
    return None


def inside(root: Path, path: Path) -> Path:
    """The path itself, which may not exist yet. The root may be a symbolic link, and links within it may lead anywhere
    inside.

    Raises:
        ZoogenError: a symbolic link on the way leads out of the root.
    """
    real = os.path.realpath(root)
    if not _below(os.path.realpath(path), real):
        step = root
        for segment in path.relative_to(root).parts:
            step = step / segment
            if not _below(os.path.realpath(step), real):
                break
        raise ZoogenError(f"{step} is a symbolic link that leads out of the artifact root {root}; remove it")
    return path


def open_inside(root: Path, path: Path) -> FileIO:
    """A file for reading, unbuffered. Where it lies is asked once it is open, so that no link put there meanwhile leads
    out.

    Raises:
        ZoogenError: as `inside`.
        OSError: it cannot be opened.
    """
    file = FileIO(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
    place = f"/proc/self/fd/{file.fileno()}"
    if os.path.lexists(place) and not _below(os.readlink(place), os.path.realpath(root)):
        file.close()
        inside(root, path)
        raise ZoogenError(f"{path} led out of the artifact root {root} for a moment; somebody else changes that folder")
    return file


def require_inside(root: Path, keys: Iterable[str]) -> None:
    """`inside` for many keys, at one look per object and one per folder.

    Raises:
        ZoogenError: as `inside`.
    """
    checked: set[str] = set()
    for key in keys:
        folder = key.rpartition("/")[0]
        if folder not in checked:
            inside(root, root / folder)
            checked.add(folder)
        if os.path.islink(root / key):
            inside(root, root / key)


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
