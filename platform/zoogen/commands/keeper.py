"""Runs a command in a process group that ends when standard input does.

Whoever starts it holds the other end of the pipe and cannot leave the command's processes behind, however it dies:

    python keeper.py COMMAND [ARGUMENT]...
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

GRACE_SECONDS = 8.0  # for processes that were asked to end


def main(command: Sequence[str]) -> int:
    """The command's exit status."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what is sent to the group is for the others in it
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, preexec_fn=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL)
    )
    threading.Thread(target=_end_with_input, args=(process,), daemon=True).start()
    status = process.wait()
    os.killpg(0, signal.SIGTERM)  # its children, where it left some
    return status


def _end_with_input(process: "subprocess.Popen[bytes]") -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.killpg(0, signal.SIGTERM)
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    os._exit(main(sys.argv[1:]) & 0xFF)
