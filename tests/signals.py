"""Signals to processes that tests start."""

import signal


def as_in_a_terminal() -> None:
    """For `preexec_fn`: signals that whoever runs the tests ignores (`nohup`, a job in the background) count again."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
