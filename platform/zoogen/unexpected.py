"""Exceptions that no room foresaw, as the one line with which a command ends."""

import errno
import traceback
from pathlib import Path

from zoogen.shown import clipped, one_line

TRACEBACK_VARIABLE = "ZOOGEN_TRACEBACK"  # set, a command shows the whole traceback instead
_FULL = (errno.ENOSPC, errno.EDQUOT)
_PACKAGE = str(Path(__file__).parent)


def system_line(error: OSError) -> str:
    """What the operating system refused, where, and what to do."""
    if isinstance(error, BrokenPipeError):
        return "the reader of the output has gone"
    reason = error.strerror or str(error) or type(error).__name__
    where = f"{clipped(str(error.filename), 200)}: " if error.filename is not None else ""
    if error.errno in _FULL:
        return one_line(f"{where}{reason}; make room, and give the same command again")
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return one_line(f"{where}{reason}; raise the limit of open files (ulimit -n)")
    return one_line(f"{where}{clipped(reason, 200)}; check that the folder exists and is writable")


def fault_line(error: Exception) -> str:
    """What went wrong and where in the code; the message of the exception is shortened."""
    if isinstance(error, MemoryError):
        return f"not enough memory{_place(error)}; ask for less at a time, or give more memory"
    message = f": {clipped(str(error), 200)}" if str(error) else ""
    return one_line(
        f"unexpected {type(error).__name__}{message}{_place(error)}; if the input is right, this is a fault of zoogen: "
        f"{TRACEBACK_VARIABLE}=1 shows where it comes from"
    )


def _place(error: Exception) -> str:
    """The innermost line of zoogen's own."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(_PACKAGE)]
    return f" ({Path(frames[-1].filename).relative_to(_PACKAGE)}:{frames[-1].lineno})" if frames else ""
