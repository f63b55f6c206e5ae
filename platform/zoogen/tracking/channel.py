"""Calls to MLflow, in their order; those that it does not take wait until it is back."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from zoogen.tracking.names import short_reason

_PAUSE_SECONDS = 60.0
_LASTING = frozenset({  # MLflow gives BAD_REQUEST for a broken database, too
    "INVALID_PARAMETER_VALUE", "INVALID_STATE", "MALFORMED_REQUEST",
    "RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST",
})  # fmt: skip


class Outage:
    """Shared by all runs of a command: a store that went away is said once, and not asked again for a minute.

    Args:
        say: told the notice.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._until = say, 0.0
        self._said: list[str] = []

    def sibling(self) -> "Outage":
        """Of another store, that says nothing more where this one has said it."""
        other = Outage(self._say)
        other._said = self._said
        return other

    @property
    def lasts(self) -> bool:
        return time.monotonic() < self._until

    def begin(self, problem: object) -> None:
        self._until = time.monotonic() + _PAUSE_SECONDS
        self.tell(problem)

    def tell(self, problem: object) -> None:
        """Say, once, that something is not recorded."""
        if not self._said:
            self._said.append(
                f"tracking is interrupted, the work goes on: {short_reason(problem)}; what is missing is recorded when "
                "it is back, or by the same command again afterwards"
            )
            self._say(self._said[-1])

    def over(self) -> None:
        """Ask again at the next call."""
        self._until = 0.0


class Channel:
    """A run's calls to one store: the tracking, or its artifacts.

    Attributes:
        lost: whether a call was refused for good, so that the record lacks something.
    """

    def __init__(self, outage: Outage) -> None:
        self._outage, self.lost = outage, False
        self._waiting: list[Callable[[], object]] = []

    @property
    def whole(self) -> bool:
        """Whether everything that was told has arrived."""
        return not self.lost and not self._waiting

    def tell(self, call: Callable[..., object], *arguments: Any, **options: Any) -> bool:
        """Make the call after those that wait, now or later; whether nothing waits any more."""
        self._waiting.append(partial(call, *arguments, **options))
        return self.send()

    def ask(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """The answer to a question, None where none can be had; then the record counts as lacking."""
        try:
            return None if self._outage.lasts else call(*arguments)
        except Exception as problem:
            self._failed(problem)
            return None

    def send(self) -> bool:
        """Make the calls that wait, unless the store is known to be away; whether none is left."""
        while self._waiting and not self._outage.lasts:
            try:
                self._waiting[0]()
            except Exception as problem:  # MLflow's, SQLAlchemy's, requests' and the system's errors share no base
                if not self._failed(problem):
                    break
            del self._waiting[0]
        return not self._waiting

    def _failed(self, problem: Exception) -> bool:
        """Whether there is no point in trying again."""
        if getattr(problem, "error_code", None) in _LASTING:
            self.lost = True
            self._outage.tell(problem)
            return True
        self._outage.begin(problem)
        return False
