"""For how long a store that does not answer is asked again: bounds of time, never of attempts."""

import math
import random
import time
from collections.abc import Callable
from typing import TypeVar

from pydantic import Field

from zoogen.config import Config

FIRST_SECONDS = 3.0  # a root that never answered: a wrong address is told soon
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # seconds between two attempts, doubling
_SAY_EVERY = 15.0  # seconds between two lines
_QUIET = 1.0  # seconds of an outage that is not worth a line

T = TypeVar("T")
Say = Callable[[str], None]


class StoreConfig(Config):
    """Patience with an artifact store that is away for a while."""

    write_s: float = Field(
        300.0, ge=0, description="seconds for which a write is tried again: a trained cohort is worth waiting for"
    )
    read_s: float = Field(60.0, ge=0, description="seconds for which a read is tried again")


class Transient(Exception):
    """What may pass: the store is away, throttles, or a disk is full. `reason` is one line for the user."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def patiently(call: Callable[[int], T], seconds: float, say: Say, what: str) -> T:
    """`call(attempt)` until it returns, again after every `Transient` for so long; pauses grow and are jittered.

    Args:
        call: gets the number of earlier attempts.
        seconds: from the first failure on; an attempt that begins within them is waited for.
        say: told what is waited for, now and then.
        what: names the store in those lines.

    Raises:
        Transient: the last one, when the time is over.
    """
    attempt, pause = 0, _FIRST_PAUSE
    end = say_next = math.inf
    chance = random.Random()  # of its own: results depend on seeds alone
    while True:
        try:
            return call(attempt)
        except Transient as error:
            now = time.monotonic()
            if attempt == 0:
                end, say_next = now + seconds, now + _QUIET
            if now >= end:
                raise
            if now >= say_next:
                say_next = now + _SAY_EVERY
                say(f"{what}: {error.reason}; trying again for {end - now:.0f} s")
            time.sleep(min(end - now, pause * (0.5 + chance.random())))
            attempt, pause = attempt + 1, min(2 * pause, _LONGEST_PAUSE)
