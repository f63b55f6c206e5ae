"""Errors that a user can act on."""


class ZoogenError(Exception):
    """A mistake at the border (configuration, file, URI, shape).

    The message is one line: what is wrong, where, and what to do. The command line prints it
    without a traceback and exits with status 2.
    """


class UnavailableError(ZoogenError):
    """Something that lies elsewhere (data, published weights) is neither on this machine nor reachable."""
