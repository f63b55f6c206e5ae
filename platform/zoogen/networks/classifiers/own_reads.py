"""Files that code opens while it is executed, as Python's audit events tell (`open`, `numpy.load`, `torch.load`, …)."""

import os
import sys
import threading
from pathlib import Path
from types import TracebackType

_APPENDED = os.O_APPEND


class OpenedFiles:
    """Within it, this thread's opened files are noted, in order; those that are appended to, as logs are, are left
    out."""

    def __init__(self) -> None:
        self.paths: list[Path] = []

    def __enter__(self) -> "OpenedFiles":
        if not _STATE.installed:
            sys.addaudithook(_heard)  # stays as long as the process: no hook can be taken away
            _STATE.installed = True
        self._before, _HERE.opened = getattr(_HERE, "opened", None), self.paths
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _HERE.opened = self._before


class _State:
    installed = False


_STATE = _State()
_HERE = threading.local()


def _heard(event: str, arguments: tuple[object, ...]) -> None:
    if event != "open" or (opened := getattr(_HERE, "opened", None)) is None:
        return
    path, mode, flags = arguments
    appended = "a" in mode if isinstance(mode, str) else isinstance(flags, int) and bool(flags & _APPENDED)
    if isinstance(path, str | bytes) and not appended:
        opened.append(Path(os.path.abspath(os.fsdecode(path))))
