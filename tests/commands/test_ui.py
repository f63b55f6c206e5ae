"""`zoogen ui`: the server ends with it, whatever ends it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tests.signals import as_in_a_terminal

SCRIPT = """
import sys
from zoogen.commands import ui
from zoogen.exits import leave
try:
    sys.exit(ui._served([sys.executable, "-c", sys.argv[1]], __import__("os").environ))
except SystemExit as stop:
    leave(stop.code)
"""
# A server with a child, as MLflow's has; both end by themselves only when asked politely, or not even then.
SERVER = """
import signal, subprocess, sys, time
if {stubborn}:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "platform"), "OMP_NUM_THREADS": "1"}


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def gone(processes: list[psutil.Process]) -> bool:
    return not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in processes)


@pytest.mark.parametrize(
    ("number", "status", "stubborn"),
    [
        (signal.SIGTERM, 143, False),
        (signal.SIGINT, 0, False),
        (signal.SIGHUP, 129, False),
        (signal.SIGKILL, -signal.SIGKILL, False),
        pytest.param(signal.SIGKILL, -signal.SIGKILL, True, marks=pytest.mark.chaos),
    ],
)
def test_no_process_is_left(number: signal.Signals, status: int, stubborn: bool) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, SERVER.format(stubborn=stubborn)],
        stdout=subprocess.PIPE,
        env=ENVIRONMENT,
        text=True,
        preexec_fn=as_in_a_terminal,
    ) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline())
        below = psutil.Process(process.pid).children(recursive=True)
        assert len(below) == 3
        process.send_signal(number)
        assert process.wait(60) == status
    wait_for(lambda: gone(below), "processes are left")


def test_the_status_of_a_server_that_fails() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, "import sys; sys.exit(7)"], env=ENVIRONMENT, timeout=60)
    assert done.returncode == 7


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_real_server_ends_with_the_command(tmp_path: Path, number: signal.Signals) -> None:
    from mlflow import MlflowClient

    root = tmp_path / "what? 100%20 of it"
    root.mkdir()
    MlflowClient(f"sqlite:///{tmp_path}/made.db")
    (tmp_path / "made.db").rename(root / "mlflow.db")
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    (tmp_path / "study.yaml").write_text(f"study: s\nartifacts: {root}\nzoo: {{structures: [A*], runs: 2}}\n")
    command = [sys.executable, "-m", "zoogen.cli", "ui", str(tmp_path / "study.yaml"), "--port", str(port)]
    with subprocess.Popen(command, env=ENVIRONMENT, preexec_fn=as_in_a_terminal) as process:
        wait_for(lambda: process.poll() is not None or answers(port), "the server does not answer")
        below = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        process.wait(60)
    wait_for(lambda: gone(below), "processes are left")
    assert not answers(port)


def answers(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0
