"""Stores that are away for a while: asked again for a time, not a number of times, and no trained cohort is lost."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes import FaultyTask
from tests.outages import Fault, FaultyS3

from zoogen.errors import ZoogenError
from zoogen.tasks.base import ProgressCallback
from zoogen.tasks.records import Cohort, CohortSpec
from zoogen.zoo import clients, patience
from zoogen.zoo.build import build_serially, manifest_key
from zoogen.zoo.patience import StoreConfig, Transient, patiently
from zoogen.zoo.plan import ZooConfig, plan_zoo
from zoogen.zoo.store import ArtifactStore


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyS3]:
    faulty = FaultyS3()
    for name, value in (("ENDPOINT_URL", faulty.url), ("ACCESS_KEY_ID", "a"), ("SECRET_ACCESS_KEY", "b")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    yield faulty
    faulty.close()


def opened(lines: list[str] | None = None, **seconds: float) -> ArtifactStore:
    """A store that has answered."""
    store = ArtifactStore("s3://zoos/x", StoreConfig(**seconds), (lines if lines is not None else []).append)
    store.check()
    return store


@pytest.mark.parametrize("fault", ["refuse", "500", "503", "429", "drop", "lose"])
def test_every_call_survives_an_outage(service: FaultyS3, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them meets five failures, or some time without anybody."""
    monkeypatch.setattr(patience, "_FIRST_PAUSE", 0.01)
    store = opened()
    store.put_if_absent("zoo/there", b"there")
    version, place = store.version("zoo/there"), memoryview(bytearray(3))

    def away(count: int = 5) -> None:
        service.break_down(fault, **({"seconds": 0.3} if fault == "refuse" else {"requests": count}))  # type: ignore[arg-type]

    away()
    assert store.put_if_absent("zoo/new", b"new")
    away()
    assert store.get("zoo/there") == b"there"
    away()
    assert store.list("zoo") == ["zoo/new", "zoo/there"]
    away()
    assert store.exists("zoo/new") and not store.exists("zoo/none")
    away()
    store.read_into("zoo/there", [(1, place)])
    assert bytes(place) == b"her"
    away()
    assert store.replace("zoo/there", b"whole", version) and store.get("zoo/there") == b"whole"
    away()
    assert not store.put_if_absent("zoo/there", b"other") and not store.replace("zoo/there", b"other", version)
    assert service.objects["/zoos/x/zoo/there"] == b"whole" and service.objects["/zoos/x/zoo/new"] == b"new"


def test_a_create_whose_answer_is_lost_has_succeeded(service: FaultyS3) -> None:
    store = opened()
    service.break_down("lose", requests=1)
    assert store.put_if_absent("a", b"mine"), "the second attempt finds what the first one wrote"
    assert service.seen == [("PUT", "/zoos/x/a")] and service.objects["/zoos/x/a"] == b"mine"
    assert not store.put_if_absent("a", b"mine"), "without a lost answer the same bytes are somebody else's"
    service.break_down("drop", requests=1)
    assert not store.put_if_absent("a", b"other"), "the first put wins"
    assert service.objects["/zoos/x/a"] == b"mine"


def test_time_is_the_bound_and_not_the_number_of_attempts(service: FaultyS3) -> None:
    lines: list[str] = []
    store = opened(lines, read_s=2.5, write_s=1.2)
    service.break_down("500")
    for call, seconds in ((lambda: store.get("a"), 2.5), (lambda: store.put_if_absent("a", b""), 1.2)):
        service.seen.clear()
        begin = time.monotonic()
        with pytest.raises(ZoogenError, match=r"asked again for \d s") as error:
            call()
        assert seconds <= time.monotonic() - begin < seconds + 5 and "\n" not in str(error.value)
        assert len(service.seen) >= 4
    assert lines and "trying again for" in lines[0] and "\n" not in lines[0]
    service.recover()
    assert store.put_if_absent("a", b"late") and store.get("a") == b"late"


def test_an_answer_that_never_comes_is_an_outage_too(service: FaultyS3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "_STALLED_S", 1)
    store = opened()
    service.break_down("silent", requests=1)
    assert store.put_if_absent("a", b"1")
    service.break_down("silent", requests=1)
    assert store.get("a") == b"1"


def test_a_root_that_never_answered_is_told_soon(service: FaultyS3) -> None:
    service.break_down("503")
    begin = time.monotonic()
    with pytest.raises(ZoogenError, match="503"):
        ArtifactStore("s3://zoos/x", say=print).check()
    assert time.monotonic() - begin < patience.FIRST_SECONDS + 5


class UnluckyTask(FaultyTask):
    """The store goes away when a cohort of structure 3 has been trained, and comes back."""

    service: FaultyS3

    def train_cohort(self, spec: CohortSpec, device: str = "cpu", progress: ProgressCallback | None = None) -> Cohort:
        cohort = super().train_cohort(spec, device, progress)
        if spec.structure == "3":
            self.service.break_down("refuse")
        return cohort


@pytest.mark.parametrize("seconds", [1.0, pytest.param(20.0, marks=pytest.mark.slow)])
def test_a_trained_cohort_outlives_an_outage(service: FaultyS3, tmp_path: Path, seconds: float) -> None:
    """The store is away from the end of a training until some seconds after the notice of it."""
    task, lines = UnluckyTask(tmp_path / "count"), []
    task.service = service
    plan = plan_zoo(ZooConfig(structures=("2", "3"), runs=2, validation_runs=0, test_runs=0, cohort=2), task)
    store, notice = opened(), f"cannot write below s3://zoos/x: {service.url} does not answer"

    def say(line: str) -> None:
        if notice in line and not lines:
            threading.Timer(seconds, service.recover).start()
        lines.append(line)

    store.say = say
    report = build_serially(plan, task, store)
    assert len(report.parts) == 2 and set(task.trainings().values()) == {1}
    assert all(part.committed for part in report.parts) and store.exists(manifest_key(plan.digest))
    assert any(notice in line for line in lines), lines


def test_lasting_errors_are_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = ArtifactStore(tmp_path)
    store.check()
    begin = time.monotonic()
    with pytest.raises(ZoogenError):
        store.put_if_absent("file/below", b"")
    assert time.monotonic() - begin < 1


def test_a_full_disk_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import obstore

    store, lines, put, calls = ArtifactStore(tmp_path), [], obstore.put, []

    def full(*arguments: object, **options: object) -> object:
        calls.append(1)
        if len(calls) in (2, 3, 4):
            raise OSError(28, "No space left on device")
        return put(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(obstore, "put", full)
    store.say = lines.append
    store.check()
    assert store.put_if_absent("a", b"1") and len(calls) == 5


def test_patience_grows_pauses_and_ends_with_the_last_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    now, pauses, lines = [0.0], [], []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(patience.time, "sleep", sleep)
    monkeypatch.setattr(patience.time, "monotonic", lambda: now[0])

    def call(attempt: int) -> None:
        assert attempt == len(pauses)
        now[0] += 100 if attempt == 0 else 0  # the time of a first attempt that hangs is none of waiting
        raise Transient(f"reason {attempt}")

    with pytest.raises(Transient) as error:
        patiently(call, 60, lines.append, "cannot read")
    assert error.value.reason == f"reason {len(pauses)}" and 160 <= now[0] <= 161
    assert max(pauses) <= 7.5 and pauses[0] < 0.2 and len(pauses) > 12
    assert 4 <= len(lines) <= 5 and lines[0].startswith("cannot read: reason ")
