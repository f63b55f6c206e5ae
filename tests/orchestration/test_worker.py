"""A worker of the pool, without Ray around it."""

import pickle
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tests.fakes import FaultyTask
from tests.outages import FaultyS3, wait_until

from zoogen.orchestration.worker import CohortFailure, CohortWorker
from zoogen.zoo.build import PartReport
from zoogen.zoo.patience import StoreConfig
from zoogen.zoo.plan import ZooConfig, part_key, plan_zoo
from zoogen.zoo.store import ArtifactStore


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyS3]:
    faulty = FaultyS3()
    for name, value in (("ENDPOINT_URL", faulty.url), ("ACCESS_KEY_ID", "a"), ("SECRET_ACCESS_KEY", "b")):
        monkeypatch.setenv(f"AWS_{name}", value)
    yield faulty
    faulty.close()


def test_a_worker_waits_for_its_store_tells_so_and_loses_nothing(service: FaultyS3, tmp_path: Path) -> None:
    task = FaultyTask(tmp_path / "count", delay=0.5)
    plan = plan_zoo(ZooConfig(structures="2", runs=1, validation_runs=0, test_runs=0), task)
    (spec,) = plan.cohorts
    store = ArtifactStore("s3://zoos/x", StoreConfig(write_s=100))
    store.check()
    sent = pickle.loads(pickle.dumps(store))
    assert sent.reached and sent.patience == store.patience, "a new worker knows that the address is right"
    threads = torch.get_num_threads()
    worker, results = CohortWorker(task, sent, "", threads, "cpu", "revision"), []
    before = time.process_time()
    work = threading.Thread(target=lambda: results.append(worker.build(spec)))
    work.start()
    wait_until(lambda: (now := worker.progress()) is not None and now.total > 0)
    service.break_down("refuse")
    wait_until(lambda: worker.progress().waiting != "")
    told = worker.progress()
    assert "cannot write below s3://zoos/x" in told.waiting and "trying again for" in told.waiting
    assert told.beats > 1 and told.processor_seconds > before
    service.recover()
    work.join(60)
    (report,) = results
    assert isinstance(report, PartReport) and report.committed and task.trainings() == {spec.digest: 1}
    assert f"/zoos/x/{part_key(spec)}" in service.objects


def test_a_worker_gives_up_when_the_time_is_over(service: FaultyS3, tmp_path: Path) -> None:
    task = FaultyTask(tmp_path / "count", delay=0.5)
    (spec,) = plan_zoo(ZooConfig(structures="2", runs=1, validation_runs=0, test_runs=0), task).cohorts
    store = ArtifactStore("s3://zoos/x", StoreConfig(read_s=0.3))
    store.check()
    worker = CohortWorker(task, store, "", torch.get_num_threads(), "cpu", "revision")
    service.break_down("503")
    failure = worker.build(spec)
    assert isinstance(failure, CohortFailure) and "cannot read below s3://zoos/x" in failure.reason
