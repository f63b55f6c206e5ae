"""Where a task without a store keeps what is made once."""

from zoogen.seal import content_hash


class MemoryAssets:
    """Assets of one process."""

    def __init__(self) -> None:
        self._held: dict[str, bytes] = {}

    def exists(self, key: str) -> bool:
        return key in self._held

    def get(self, key: str) -> bytes:
        return self._held[key]

    def put_if_absent(self, key: str, data: bytes) -> bool:
        return self._held.setdefault(key, data) is data

    def version(self, key: str) -> str:
        return content_hash(self._held[key]) if key in self._held else ""

    def replace(self, key: str, data: bytes, version: str) -> bool:
        if self.version(key) != version:
            return False
        self._held[key] = data
        return True
