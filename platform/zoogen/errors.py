"""Errors that a user can act on."""


class ZoogenError(Exception):
    """A mistake at the border (configuration, file, URI, shape).

    The message is one line: what is wrong, where, and what to do. The command line prints it
    without a traceback and exits with status 2.
    """


class DamagedError(ZoogenError):
    """An artifact whose content does not fit its seal, or is not what its name says.

    The stage that makes it makes it anew; all others stop here.

    Attributes:
        reason: what is wrong with it.
        where: its URI, as far as whoever noticed knew it.
        remedy: what to do.
    """

    def __init__(self, reason: str, where: str = "the artifact", remedy: str = "run the stage that makes it again"):
        super().__init__(reason, where, remedy)
        self.reason, self.where, self.remedy = " ".join(reason.split())[:200], where, remedy

    def __str__(self) -> str:
        return f"{self.where} is damaged ({self.reason}); {self.remedy}"


class UnavailableError(ZoogenError):
    """Something that lies elsewhere (data, published weights) is neither on this machine nor reachable."""


class CommandError(ZoogenError):
    """A mistake whose line holds a command to type: it is printed whole, however long its paths are."""
