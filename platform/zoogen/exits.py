"""How a process ends: its exit status, and signals that end it in order.

| status | name | meaning | what to do |
|-|-|-|-|
| 0 | DONE | everything asked for was done, or was there already | – |
| 1 | FAULT | a fault of the program: a traceback says where | report it |
| 2 | MISTAKE | something at the border is wrong (configuration, file, store, cluster): one line says what | follow it |
| 3 | OVER_LIMIT | a process of a benchmark asked for more memory than it was given; no command ends so | – |
| 129 | HUNG_UP | SIGHUP: the terminal was closed | give the same command again |
| 130 | INTERRUPTED | SIGINT: Ctrl-C | give the same command again |
| 143 | TERMINATED | SIGTERM: `kill`, a batch system, `ray job stop` | give the same command again |

The last three are 128 and the signal's number, as shells have it. They leave finished work in the store, runs in MLflow
in the state KILLED, and no process behind.
"""

import atexit
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum
from types import FrameType
from typing import NoReturn


class Exit(IntEnum):
    """Exit statuses of commands, jobs and the processes that they start; see the module's table."""

    DONE = 0
    FAULT = 1
    MISTAKE = 2
    OVER_LIMIT = 3
    HUNG_UP = 128 + signal.SIGHUP
    INTERRUPTED = 128 + signal.SIGINT
    TERMINATED = 128 + signal.SIGTERM


STOPPED = frozenset({Exit.HUNG_UP, Exit.INTERRUPTED, Exit.TERMINATED})  # ended by a signal, and to be continued
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)  # SIGINT is Python's own KeyboardInterrupt


class SignalExit(SystemExit):
    """Raised in the main thread by a signal that ends the process; its code is an `Exit`."""


_received: list[Exit] = []  # what the handler of `signals_raise` raised, until its block ends


def stopped_by(error: BaseException) -> Exit | None:
    """The status of an interrupt or of a signal; None of any other error.

    Within `signals_raise`, an exit after a signal is the signal's, whatever its code: Ray turns `SignalExit` into an
    exit with status 1 where it comes out of its C++, and its own handler exits with the bare number of the signal.
    """
    if isinstance(error, KeyboardInterrupt):
        return Exit.INTERRUPTED
    if isinstance(error, SystemExit):
        code = Exit.TERMINATED if error.code == signal.SIGTERM else error.code
        return Exit(code) if code in STOPPED else next(iter(_received), None)
    return None


@contextmanager
def signals_raise() -> Iterator[None]:
    """Within the block SIGTERM and SIGHUP raise `SignalExit` in the main thread, once: what ends runs and processes
    afterwards is not interrupted again. Handlers of others, and what is ignored (`nohup`), stay as they are."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_DFL]

    def stop(number: int, frame: FrameType | None) -> None:
        for each in ours:
            signal.signal(each, signal.SIG_IGN)
        _received.append(Exit(128 + number))
        raise SignalExit(_received[-1])

    for number in ours:
        signal.signal(number, stop)
    try:
        yield
    finally:
        if ours:
            _received.clear()
        for number in ours:
            if signal.getsignal(number) in (stop, signal.SIG_IGN):
                signal.signal(number, signal.SIG_DFL)


@contextmanager
def signals_kept() -> Iterator[None]:
    """Put back the handlers that a library replaces within the block, its C++ ones included.

    Ray installs a handler of SIGTERM in Python, and one in C++ over it that prints a stack and aborts the process three
    seconds later.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            if callable(handler):
                signal.signal(number, handler)  # the system's handler is Python's again, whatever stood there
        signal.alarm(0)  # of a signal that came meanwhile


def leave(status: int) -> NoReturn:
    """End the process at once after everything was closed: what is left of foreign threads cannot abort it.

    At the end of the interpreter, threads of libraries (Ray, torch, MLflow) that come back from C++ are unwound through
    frames that allow no exception: "terminate called without an active exception", status -6, after finished work.
    Here the functions registered with `atexit` are called and the streams are flushed, as Python would, and then the
    system ends all threads together.
    """
    with suppress(Exception):
        threading._shutdown()  # type: ignore[attr-defined]  # waits for threads that are no daemons, as Python does
    with suppress(Exception):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # a closed pipe or terminal
            status = status or Exit.FAULT
    os._exit(status)
