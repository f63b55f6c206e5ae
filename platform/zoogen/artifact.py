"""What lies at a key: something whole, something damaged, or nothing; and putting something whole there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from zoogen.errors import DamagedError

T = TypeVar("T")


class Objects(Protocol):
    """Bytes by key, written whole and once (`ArtifactStore`)."""

    def exists(self, key: str) -> bool: ...

    def get(self, key: str) -> bytes: ...

    def put_if_absent(self, key: str, data: bytes) -> bool: ...

    def version(self, key: str) -> str:
        """What tells an object from any other that will lie at its key; empty if none lies there."""

    def replace(self, key: str, data: bytes, version: str) -> bool:
        """Write in the place of the object of this version; False if another, or none, lies there."""


@dataclass(frozen=True)
class Artifact(Generic[T]):
    """What was found at a key.

    Attributes:
        value: what it holds, None unless it is there and whole.
        damage: why it is not whole, empty if it is, or is not there.
        version: of the object that was found, empty if there was none.
    """

    objects: Objects
    key: str
    value: T | None = None
    damage: str = ""
    version: str = ""

    def commit(self, data: bytes) -> bool:
        """Write where nothing lies, or in the place of what was found damaged, and never over anything else.

        Safe to repeat and to race. True if this call wrote it.
        """
        replaced = bool(self.damage) and self.objects.replace(self.key, data, self.version)
        return replaced or self.objects.put_if_absent(self.key, data)

    def notice(self) -> str:
        """For the user, where it is made anew."""
        return f"{self.key} is damaged ({self.damage}) and is made again"


def examine(objects: Objects, key: str, read: Callable[[bytes], T]) -> Artifact[T]:
    """Look at what lies at a key.

    Args:
        read: makes a value of the bytes; DamagedError if they are not whole.
    """
    version = objects.version(key)  # before the content, so that whatever replaces it meanwhile is left alone
    if not version:
        return Artifact(objects, key)
    try:
        return Artifact(objects, key, read(objects.get(key)), version=version)
    except DamagedError as error:
        return Artifact(objects, key, damage=error.reason, version=version)
