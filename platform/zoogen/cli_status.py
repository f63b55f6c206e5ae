"""How the command line ends: errors and interrupts as one line, and their exit status."""

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn

import typer

from zoogen.errors import CommandError, ZoogenError
from zoogen.exits import Exit, stopped_by
from zoogen.shown import one_line
from zoogen.unexpected import fault_line, system_line

_ON_INTERRUPT = "interrupted; what was finished is kept, the same command goes on from there"


def guarded(command: Callable[[], object], arguments: Sequence[str] | None) -> int:
    """The status of the command line's work.

    Raises:
        SystemExit: with an `Exit`, after one line on standard error, where the work did not end by itself.
    """
    try:
        status = command()
    except SystemExit as stop:
        if (signal := stopped_by(stop)) is None:
            raise
        _stop(_ON_INTERRUPT, signal)
    except (KeyboardInterrupt, typer.Abort):
        _stop(_ON_INTERRUPT, Exit.INTERRUPTED)
    except CommandError as error:
        _print(str(error))
        sys.exit(Exit.MISTAKE)
    except ZoogenError as error:
        _stop(str(error), Exit.MISTAKE, arguments)
    except typer.TyperException as error:
        _stop(error.format_message() + " (try zoogen --help)", Exit.MISTAKE, arguments)
    except OSError as error:
        _stop(system_line(error), Exit.MISTAKE)
    except Exception as error:
        _stop(fault_line(error), Exit.FAULT)
    if status == Exit.INTERRUPTED:  # typer turns an interrupt into this status
        _stop(_ON_INTERRUPT, Exit.INTERRUPTED)
    return status if isinstance(status, int) else Exit.DONE


def _stop(message: str, status: Exit, arguments: Sequence[str] | None = None) -> NoReturn:
    _print(one_line(message, arguments or sys.argv))
    sys.exit(status)


def _print(message: str) -> None:
    with suppress(OSError):  # the terminal is gone
        print("zoogen: " + " ".join(message.split()), file=sys.stderr, flush=True)
