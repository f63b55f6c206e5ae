"""Whether workers see the driver's artifact root."""

from pathlib import Path
from typing import Any

import pytest

from zoogen.errors import ZoogenError
from zoogen.orchestration import sharing
from zoogen.orchestration.sharing import Gate, mark, obstacle
from zoogen.zoo.store import ArtifactStore


class Machines:
    """The part of Ray that a gate asks."""

    def __init__(self, *cpus: float, dead: int = 0) -> None:
        alive = [{"Alive": True, "Resources": {"CPU": count}} for count in cpus]
        self._nodes: list[dict[str, Any]] = [*alive, *[{"Alive": False, "Resources": {"CPU": 9}}] * dead]

    def nodes(self) -> list[dict[str, Any]]:
        return self._nodes


def test_work_is_given_out_once_each_machine_has_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(
        Machines(4, 4, 0, 0.5, dead=2), cpus=1, gpus=0
    )  # a head without CPUs and one that is too small hold no worker
    assert not gate.is_open(workers=8, ready=0)
    gate.answered("a")
    gate.answered("a")
    assert not gate.is_open(workers=8, ready=2) and not gate.opened
    gate.answered("b")
    assert gate.is_open(workers=8, ready=3) and gate.opened
    assert gate.is_open(workers=9, ready=0), "and stays open"

    accelerated = Gate(Machines(4, 4), cpus=1, gpus=1)
    accelerated.answered("a")
    assert not accelerated.is_open(workers=2, ready=1), "none of them is known to hold a worker"

    few = Gate(Machines(4, 4, 4), cpus=1, gpus=0)
    few.answered("a")
    assert few.is_open(workers=1, ready=1), "fewer workers than machines"

    now = [100.0]
    monkeypatch.setattr(sharing.time, "monotonic", lambda: now[0])
    late = Gate(Machines(4, 4), cpus=1, gpus=0)
    late.answered("a")
    assert not late.is_open(workers=8, ready=4)
    now[0] += 21
    assert late.is_open(workers=8, ready=4), "a machine that does not answer holds nobody back for ever"


def test_the_mark_is_seen_in_the_same_folder_alone_and_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "_APPEARS_SECONDS", 0.2)
    store, other = ArtifactStore(tmp_path / "here"), ArtifactStore(tmp_path / "there")
    with mark(store) as name:
        assert obstacle(store, name) == ""
        assert "does not share this folder; give a shared folder or a URI" in obstacle(other, name)
        assert not (tmp_path / "there").exists(), "and nothing is made in the wrong place"
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["zoogen.json"]
    with pytest.raises(ZoogenError), mark(ArtifactStore(tmp_path / "here" / "zoogen.json")):
        pass


def test_a_remote_root_is_asked_for_its_marker() -> None:
    store = ArtifactStore("memory://sharing")
    assert "does not see the driver's memory://sharing" in obstacle(store, "")
    with mark(store) as name:
        assert name == "" and obstacle(store, name) == ""
