"""What lies at a key: something whole, something damaged, or nothing."""

from pathlib import Path

import pytest

from zoogen.artifact import Objects, examine
from zoogen.errors import DamagedError
from zoogen.tasks.assets import MemoryAssets
from zoogen.zoo.store import ArtifactStore


def number(data: bytes) -> int:
    if not data.isdigit():
        raise DamagedError("it is no number")
    return int(data)


@pytest.fixture(params=["folder", "memory", "process"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    stores = {
        "folder": lambda: ArtifactStore(tmp_path),
        "memory": lambda: ArtifactStore(f"memory://{tmp_path.name}"),
        "process": MemoryAssets,
    }
    return stores[request.param]()  # type: ignore[no-any-return]


def test_nothing_is_filled_and_what_is_whole_is_left_alone(objects: Objects) -> None:
    nothing = examine(objects, "a/b", number)
    assert (nothing.value, nothing.damage, nothing.version) == (None, "", "")
    assert nothing.commit(b"1") and not nothing.commit(b"2"), "somebody was first"
    whole = examine(objects, "a/b", number)
    assert whole.value == 1 and not whole.commit(b"3") and objects.get("a/b") == b"1"


def test_only_what_was_found_damaged_is_replaced(objects: Objects) -> None:
    objects.put_if_absent("a/b", b"one")
    found, seen_by_another = examine(objects, "a/b", number), examine(objects, "a/b", number)
    assert found.value is None and found.damage == "it is no number"
    assert found.notice() == "a/b is damaged (it is no number) and is made again"
    assert found.commit(b"1") and not seen_by_another.commit(b"2"), "it is another object now"
    assert objects.get("a/b") == b"1" and not found.commit(b"3")


def test_errors_of_the_store_are_no_damage(objects: Objects) -> None:
    def lost(data: bytes) -> int:
        raise ConnectionError("the store is away")

    objects.put_if_absent("a/b", b"1")
    with pytest.raises(ConnectionError):
        examine(objects, "a/b", lost)
