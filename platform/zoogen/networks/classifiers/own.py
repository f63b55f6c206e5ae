"""A user's own network and data set, from one Python file.

The file defines `network(channels, size, classes) -> nn.Module`, or `data() -> (images, labels)`, or both; structures
then read `own@digits`, `cnn-small@own`, `own@own`. Optional names in it: `subset` (glob patterns of the parameters to
generate), `size` (edge in pixels), `channels` (1 or 3), `title` (for tables) and `titles` (of the classes).

Example of a file:

    from torch import nn

    subset = ["2.*"]

    def network(channels, size, classes):
        return nn.Sequential(nn.Conv2d(channels, 4, 3), nn.Flatten(), nn.Linear(4 * (size - 2) ** 2, classes))

The file is code: it is executed only where it lies below the current folder or a folder that the environment variable
`ZOOGEN_OWN_PATH` names, and an artifact that was made with it tells its digest. It may import modules that lie beside
it or elsewhere below these folders: they are part of the digest, and so are files there that it opens while it is
executed (what its functions load is told by the images and networks that they give).
"""

import hashlib
import itertools
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from zoogen.errors import ZoogenError
from zoogen.exits import SignalExit
from zoogen.networks.classifiers.own_imports import OWN_PATH, PREFIX, OwnPackage, allowed_folders, is_allowed

__all__ = ["OWN_PATH", "OwnModule", "failure", "load_own", "own_failures"]

Network = Callable[[int, int, int], nn.Module]  # (channels, edge in pixels, classes)
Data = Callable[[], tuple[Any, Any]]  # to images and labels, arrays


@dataclass(frozen=True)
class OwnModule:
    """What one's own file offers. Its functions raise one-line `ZoogenError`s that name the line.

    Attributes:
        path: as it was given.
        source: SHA-256 of the file's bytes, hexadecimal; with the modules that it imports from the allowed folders.
        network: builds an untrained module; None where the file has no such function.
        data: gives images and labels; None where the file has no such function.
        subset: glob patterns of the parameters to generate by default, empty where the file names none.
        size: edge in pixels of the images, None where the file names none.
        channels: 1 or 3, None where the file names none.
        title: for tables; the file's name without its ending where it names none.
        titles: of the classes, empty where the file names none.
    """

    path: str
    source: str
    network: Network | None = field(compare=False)
    data: Data | None = field(compare=False)
    subset: tuple[str, ...]
    size: int | None
    channels: int | None
    title: str
    titles: tuple[str, ...]

    def __reduce__(self) -> tuple[Any, ...]:
        return load_own, (self.path, self.source)  # functions of a file are not pickled, they are loaded again


_LOADED: dict[tuple[str, str], tuple[OwnModule, OwnPackage]] = {}  # by path and digest: executed once per process
_NUMBERS = itertools.count()


def load_own(path: str, source: str | None = None) -> OwnModule:
    """The networks and data of one's own file, which is executed.

    Args:
        path: a file below the current folder or below one of the folders of `ZOOGEN_OWN_PATH`; relative paths are
            looked up in the current folder first, then in those.
        source: digest that the file must have, with what it imports from these folders; None for any.

    Raises:
        ZoogenError: the file is missing, lies elsewhere, has another digest, fails, or defines nothing usable.
    """
    file = _allowed(path)
    try:
        text = file.read_bytes()
    except OSError as error:
        raise ZoogenError(f"cannot read {path}: {error.strerror or error}") from None
    key = (str(file), hashlib.sha256(text).hexdigest())
    if key not in _LOADED or not _LOADED[key][1].unchanged():
        package = OwnPackage(f"{PREFIX}{key[1][:16]}_{next(_NUMBERS)}", file)
        module = _executed(package, path, text)
        _LOADED[key] = _offered(path, package.digest(key[1]), module, package), package
    own = _LOADED[key][0]
    if source is not None and source != own.source:
        package = _LOADED[key][1]
        which = " (with what it imports and opens)" if package.sources or package.opened else ""
        raise ZoogenError(
            f"{path} is not the file that was used: its digest{which} is {own.source[:16]}, wanted is {source[:16]}; "
            "restore that file, or make the artifacts anew"
        )
    return own


def failure(what: str, error: BaseException) -> ZoogenError:
    """One line for an exception: what was done, the line of one's own file where there is one, and the reason."""
    if isinstance(error, SignalExit):
        raise error  # the process is to end, whoever's code runs
    own = _own_lines(error)
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        own.append((error.filename, error.lineno))
    where = f" in {os.path.relpath(own[-1][0])}, line {own[-1][1]}" if own else ""
    reason = next(iter(str(error).strip().splitlines()), "")
    return ZoogenError(f"{what} failed{where}: {type(error).__name__}{': ' + reason if reason else ''}")


@contextmanager
def own_failures(what: str) -> Iterator[None]:
    """Exceptions that come out of one's own file (a network's forward pass) as single lines, others as they are."""
    try:
        yield
    except ZoogenError:
        raise
    except Exception as error:
        if not _own_lines(error):
            raise
        raise failure(what, error) from error


def _own_lines(error: BaseException) -> list[tuple[str, int]]:
    """Files of one's own and lines in them that an exception passed through, the innermost last."""
    steps = traceback.walk_tb(error.__traceback__)
    return [(f.f_code.co_filename, line) for f, line in steps if f.f_globals.get("__name__", "").startswith(PREFIX)]


def _allowed(path: str) -> Path:
    candidates = [root / Path(path).expanduser() for root in allowed_folders()]
    file = next((candidate for candidate in candidates if candidate.is_file()), None)
    if file is None:
        raise ZoogenError(f"there is no file {path}; set task.own to a Python file below the current folder")
    resolved = file.resolve()
    if not is_allowed(resolved):
        raise ZoogenError(
            f"{path} is not executed, since it lies outside of the current folder; move it there, or name its folder "
            f"in the environment variable {OWN_PATH}"
        )
    return resolved


def _executed(package: OwnPackage, path: str, text: bytes) -> ModuleType:
    try:
        return package.execute(text)
    except ZoogenError:
        raise
    except (Exception, SystemExit) as error:
        raise failure(f"reading {path}", error) from error


def _offered(path: str, digest: str, module: ModuleType, package: OwnPackage) -> OwnModule:
    network, data = (_function(path, module, name, package) for name in ("network", "data"))
    if network is None and data is None:
        raise ZoogenError(f"{path} defines neither network(channels, size, classes) nor data(); define one of them")
    title = getattr(module, "title", None) or Path(path).stem
    if not isinstance(title, str):
        raise ZoogenError(f"title in {path} is {title!r}, it must be a text")
    size, channels = _number(path, module, "size"), _number(path, module, "channels")
    if channels not in (None, 1, 3):
        raise ZoogenError(f"channels in {path} is {channels}, it must be 1 or 3")
    subset, titles = _texts(path, module, "subset"), _texts(path, module, "titles")
    return OwnModule(path, digest, network, data, subset, size, channels, title, titles)


def _function(path: str, module: ModuleType, name: str, package: OwnPackage) -> Callable[..., Any] | None:
    """The file's function, with its exceptions as single lines."""
    function = getattr(module, name, None)
    if function is None:
        return None
    if not callable(function):
        raise ZoogenError(f"{name} in {path} is {type(function).__name__}, it must be a function")

    def called(*arguments: Any) -> Any:
        try:
            with package.watched():
                return function(*arguments)
        except ZoogenError:
            raise
        except (Exception, SystemExit) as error:
            raise failure(f"{name}({', '.join(map(str, arguments))})", error) from error

    return _pair(path, called) if name == "data" else called


def _pair(path: str, data: Callable[[], Any]) -> Data:
    def checked() -> tuple[Any, Any]:
        found = data()
        if not isinstance(found, tuple | list) or len(found) != 2:
            raise ZoogenError(f"data() in {path} returned {type(found).__name__}, it must return (images, labels)")
        return found[0], found[1]

    return checked


def _number(path: str, module: ModuleType, name: str) -> int | None:
    value = getattr(module, name, None)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise ZoogenError(f"{name} in {path} is {value!r}, it must be a positive whole number")
    return value


def _texts(path: str, module: ModuleType, name: str) -> tuple[str, ...]:
    value = getattr(module, name, ())
    if not isinstance(value, list | tuple) or not all(isinstance(part, str) for part in value):
        raise ZoogenError(f"{name} in {path} is {value!r}, it must be a list of texts")
    return tuple(value)
