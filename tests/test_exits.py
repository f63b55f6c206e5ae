"""How processes end: real ones, with real signals."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.signals import as_in_a_terminal

from zoogen.exits import Exit, SignalExit, signals_raise, stopped_by

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "platform")}


def python(script: str, **options: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", script],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **{"preexec_fn": as_in_a_terminal, **options},  # type: ignore[call-overload]
    )


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (KeyboardInterrupt(), Exit.INTERRUPTED),
        (SystemExit(signal.SIGTERM), Exit.TERMINATED),  # Ray's own handler
        (SystemExit(129), Exit.HUNG_UP),
        (SignalExit(Exit.TERMINATED), Exit.TERMINATED),
        (SystemExit(1), None),
        (SystemExit(None), None),
        (SystemExit("message"), None),
        (ValueError(), None),
    ],
)
def test_what_stopped(error: BaseException, status: Exit | None) -> None:
    assert stopped_by(error) is status


def test_an_exit_after_a_signal_is_the_signals_whatever_a_library_makes_of_it() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with signals_raise():
            with pytest.raises(SignalExit) as stop:
                os.kill(os.getpid(), signal.SIGHUP)
            assert stop.value.code == Exit.HUNG_UP == stopped_by(SystemExit(1))
            assert stopped_by(ValueError()) is None
        assert stopped_by(SystemExit(1)) is None
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


WAITING = """
import sys
from zoogen.exits import signals_raise
with signals_raise():
    try:
        print("ready", flush=True)
        sys.stdin.readline()
    finally:
        print("ending", flush=True)
        sys.stdin.readline()
        print("ended", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_second_signal_does_not_break_the_ending(number: signal.Signals) -> None:
    with python(WAITING) as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.readline() == "ending\n"
        for again in (signal.SIGTERM, signal.SIGHUP):
            process.send_signal(again)
        out, _ = process.communicate("\n", timeout=60)
    assert out == "ended\n" and process.returncode == 128 + number


def test_what_nohup_ignores_stays_ignored() -> None:
    with python(WAITING, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGHUP)
        out, _ = process.communicate("\n\n", timeout=60)
    assert out == "ending\nended\n" and process.returncode == 0


# A daemon thread that comes back from C++ while the interpreter ends, as threads of Ray, MLflow and torch do.
BUSY = """
import atexit, sys, threading, torch
from zoogen.exits import leave
numbers = torch.ones(1000, 1000)
def compute():
    while True:
        numbers.mm(numbers)
threading.Thread(target=compute, daemon=True).start()
other = threading.Thread(target=lambda: print("the other thread", flush=True))
atexit.register(print, "at exit")
print("done", flush=True)
other.start()
{end}
"""


def test_foreign_threads_do_not_abort_a_finished_process() -> None:
    for _ in range(3):
        with python(BUSY.format(end="leave(0)")) as process:
            out, said = process.communicate(timeout=60)
        assert (process.returncode, said) == (0, "")
        assert out == "done\nthe other thread\nat exit\n"


def test_output_that_nobody_takes_is_no_success() -> None:
    with python("from zoogen.exits import leave\nimport sys\nsys.stdin.readline()\nprint('x')\nleave(0)") as process:
        assert process.stdout is not None and process.stdin is not None
        process.stdout.close()
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.wait(60) == Exit.FAULT
