"""Errors that a user can act on."""


class ZoogenError(Exception):
    """A mistake at the border (configuration, file, URI, shape).

    The message is one line: what is wrong, where, and what to do. The command line prints it
    without a traceback and exits with status 2.
    """


class DamagedError(ZoogenError):
    """An artifact whose content does not fit its seal, or is not what its name says.

    The stage that makes it makes it anew; all others stop here.
    """
