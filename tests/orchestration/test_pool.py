"""The actor pool on a real local Ray: equal to the plain loop, and killed at every point."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.fakes import FaultyTask, TrunkTask

from zoogen.errors import ZoogenError
from zoogen.orchestration.cluster import connect
from zoogen.orchestration.pool import PoolConfig, build_zoo
from zoogen.zoo.build import build_serially, manifest_key, missing_cohorts
from zoogen.zoo.plan import ZooConfig, part_key, plan_zoo
from zoogen.zoo.store import ArtifactStore

ROOT = Path(__file__).parent.parent.parent
CONFIG = ZooConfig(structures=("2", "3"), runs=4, validation_runs=1, test_runs=1, cohort=2)  # 6 cohorts
VARYING = ["seconds"]


@pytest.fixture(scope="module")
def cluster():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))  # workers import the fake task
        with connect(num_cpus=2) as connected:
            yield connected


def rows(store: ArtifactStore, plan) -> list[dict]:
    tables = [pq.read_table(store.local_path_of(part_key(cohort))) for cohort in plan.cohorts]
    return [row for table in tables for row in table.drop_columns(VARYING).to_pylist()]


def test_the_pool_gives_what_the_plain_loop_gives(cluster, tmp_path):
    task, seen = FaultyTask(tmp_path / "count", delay=1.2), []
    plan = plan_zoo(CONFIG, task)
    store, plain = ArtifactStore(tmp_path / "pool"), ArtifactStore(tmp_path / "plain")
    report = build_zoo(plan, task, store.uri, progress=seen.append)
    assert (report.digest, report.reused, report.deaths, report.checkpoints) == (plan.digest, 0, 0, 2 * 6 * 3)
    assert {part.cohort for part in report.parts} == {cohort.digest for cohort in plan.cohorts}
    assert task.trainings() == {cohort.digest: 1 for cohort in plan.cohorts}
    assert build_serially(plan, FaultyTask(tmp_path / "other"), plain).manifest
    assert rows(store, plan) == rows(plain, plan)
    assert store.get(manifest_key(plan.digest)) == plain.get(manifest_key(plan.digest))

    done = [snapshot.cohorts_done for snapshot in seen]
    assert done == sorted(done) and done[-1] == 6 and seen[-1].fraction == 1
    assert max(snapshot.workers for snapshot in seen) == 2
    assert any(0 < snapshot.loss < 1.2 for snapshot in seen), "workers report while they train"

    again = build_zoo(plan, task, store.uri)
    assert (again.reused, again.parts) == (6, ()) and sum(task.trainings().values()) == 6


def test_a_killed_worker_costs_its_cohort_one_more_attempt(cluster, tmp_path):
    """Every cohort of structure 3 kills its first worker with SIGKILL."""
    task = FaultyTask(tmp_path / "count", dies={"3": 1})
    config = CONFIG.model_copy(update={"runs": 2})
    plan, store = plan_zoo(config, task), ArtifactStore(tmp_path / "root")
    messages = []
    report = build_zoo(plan, task, store.uri, PoolConfig(workers=2), lambda p: messages.append(p.message))
    assert report.deaths == 2 and not missing_cohorts(plan, store)
    assert sorted(part.cohort for part in report.parts) == sorted(cohort.digest for cohort in plan.cohorts)
    assert task.trainings() == {c.digest: 2 if c.structure == "3" else 1 for c in plan.cohorts}
    assert task.finished() == {c.digest: 1 for c in plan.cohorts}
    assert any("a worker died" in message for message in messages)
    assert len({row["id"] for row in rows(store, plan)}) == 2 * 4 * 3


def test_a_cohort_that_kills_every_worker_is_given_up(cluster, tmp_path):
    task = FaultyTask(tmp_path / "count", dies={"2": 99})
    config = ZooConfig(structures=("2", "3"), runs=1, validation_runs=0, test_runs=0)
    plan, store = plan_zoo(config, task), ArtifactStore(tmp_path / "root")
    with pytest.raises(ZoogenError, match="of structure 2 failed: 2 workers died of it") as error:
        build_zoo(plan, task, store.uri, PoolConfig(workers=1, max_attempts=2))
    assert "\n" not in str(error.value) and "1 finished parts are kept" in str(error.value)
    assert [cohort.structure for cohort in missing_cohorts(plan, store)] == ["2"]
    assert not store.exists(manifest_key(plan.digest))
    healthy = FaultyTask(tmp_path / "other")
    assert build_zoo(plan, healthy, store.uri, PoolConfig(workers=1)).reused == 1, "and the next run completes it"


def test_an_error_of_the_task_is_told_once(cluster, tmp_path):
    task = FaultyTask(tmp_path / "count", fails=("3",))
    config = ZooConfig(structures=("3", "2"), runs=2, validation_runs=0, test_runs=0, cohort=2)
    plan, store = plan_zoo(config, task), ArtifactStore(tmp_path / "root")
    with pytest.raises(ZoogenError) as error:
        build_zoo(plan, task, store.uri, PoolConfig(workers=1))
    assert "\n" not in str(error.value)
    assert "ValueError: structure 3 is not to be trained (fakes.py:" in str(error.value)
    assert set(task.trainings().values()) == {1}, "nothing is tried twice"
    assert [cohort.structure for cohort in missing_cohorts(plan, store)] == ["3"], "the others are built all the same"


def test_structures_are_prepared_before_their_cohorts_and_a_death_is_survived(cluster, tmp_path):
    half_seen, seen = tmp_path / "half", []
    task = TrunkTask(tmp_path / "count", unlucky={"3": 1}, until=half_seen)

    def watch(snapshot):
        seen.append(snapshot)
        if 0 < snapshot.prepared < 1:
            half_seen.touch()

    plan, store = plan_zoo(CONFIG, task), ArtifactStore(tmp_path / "root")
    report = build_zoo(plan, task, store.uri, PoolConfig(workers=2), watch)
    assert task.preparations() == {"2": 1, "3": 2} and report.deaths == 1
    assert task.trainings() == {cohort.digest: 1 for cohort in plan.cohorts}
    assert any("the preparation of structure 3 starts again" in snapshot.message for snapshot in seen)
    assert half_seen.exists(), "workers report while they prepare"
    assert max(snapshot.fraction for snapshot in seen) == 1
    more = plan_zoo(CONFIG.model_copy(update={"runs": 6}), task)
    assert len(build_zoo(more, task, store.uri, PoolConfig(workers=1)).parts) == 2
    assert task.preparations() == {"2": 1, "3": 2}, "what is there is not made again"


def test_a_preparation_that_fails_takes_the_cohorts_of_its_structure_alone(cluster, tmp_path):
    task = TrunkTask(tmp_path / "count", impossible=("2",))
    plan, store = plan_zoo(CONFIG, task), ArtifactStore(tmp_path / "root")
    with pytest.raises(ZoogenError, match="preparation of structure 2 failed: there is no trunk of 2") as error:
        build_zoo(plan, task, store.uri, PoolConfig(workers=1))
    assert "\n" not in str(error.value) and "3 finished parts are kept" in str(error.value)
    assert {cohort.structure for cohort in missing_cohorts(plan, store)} == {"2"}
    assert task.preparations() == {"2": 1, "3": 1}


def test_workers_that_cannot_start(cluster, tmp_path):
    class Unknown(FaultyTask):
        def __reduce__(self):
            return (__import__, ("no_such_module_anywhere",))

        def using(self, assets):
            return self  # a copy here would fail here

    task = Unknown(tmp_path / "count")
    plan = plan_zoo(CONFIG, task)
    with pytest.raises(ZoogenError, match="workers cannot start: .*no_such_module_anywhere") as error:
        build_zoo(plan, task, tmp_path / "root", PoolConfig(workers=1, max_attempts=2))
    assert "\n" not in str(error.value)


def test_more_than_the_cluster_has(cluster, tmp_path):
    task = FaultyTask(tmp_path / "count")
    plan = plan_zoo(CONFIG, task)
    with pytest.raises(ZoogenError, match="a worker wants 1 CPUs and 1 GPUs, the cluster has 2 CPUs"):
        build_zoo(plan, task, tmp_path / "root", PoolConfig(gpus_per_worker=1))
    with pytest.raises(ZoogenError, match="lives in one process"):
        build_zoo(plan, task, "memory://pool")
    # More workers than there is room for: those that find no place hold no cohort back.
    assert len(build_zoo(plan, task, tmp_path / "root", PoolConfig(workers=3)).parts) == 6


class HangingTask(FaultyTask):
    """The first training of structure 2 hangs; those of structure 3 compute for long without a word."""

    stops = False
    computes = 0.0

    def train_cohort(self, spec, device="cpu", progress=None):
        if spec.structure == "3":
            end = time.monotonic() + self.computes
            while time.monotonic() < end:
                pass
        elif not self.trainings()[spec.digest]:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / f"{spec.digest}-hangs").write_text("begun")
            if self.stops:
                os.kill(os.getpid(), signal.SIGSTOP)
            threading.Event().wait()
        return super().train_cohort(spec, device, progress)


def hung(task, root, config):
    """The report of two cohorts, of which the first training of structure 2 hangs, and what was told."""
    plan, seen = plan_zoo(ZooConfig(structures=("2", "3"), runs=1, validation_runs=0, test_runs=0), task), []
    report = build_zoo(plan, task, root, config, seen.append)
    assert len(report.parts) == 2 and set(task.finished()) == {cohort.digest for cohort in plan.cohorts}
    messages = list(dict.fromkeys(snapshot.message for snapshot in seen))
    assert any("of structure 2: no sign of life for" in message for message in messages), messages
    assert any("a worker hangs; cohort" in message and "pool.heartbeat_s" in message for message in messages), messages
    assert max(snapshot.silent for snapshot in seen) >= 1, "and progress lines count it"
    return report, {c.structure: task.trainings()[c.digest] for c in plan.cohorts}


def test_a_worker_that_hangs_is_replaced(cluster, tmp_path):
    report, trainings = hung(HangingTask(tmp_path / "count"), tmp_path / "root", PoolConfig(heartbeat_s=3))
    assert report.deaths >= 1 and trainings["2"] >= 2


@pytest.mark.chaos
def test_a_worker_that_is_stopped_is_replaced_and_one_that_computes_is_not(cluster, tmp_path):
    task = HangingTask(tmp_path / "count")
    task.stops, task.computes = True, 40.0
    report, trainings = hung(task, tmp_path / "root", PoolConfig(heartbeat_s=15))
    assert report.deaths == 1 and trainings == {"2": 2, "3": 1}


def test_workers_that_do_not_see_the_folder_are_noticed_before_anything_is_trained(cluster, tmp_path):
    """The root's path names a folder in this process alone: that of an open file."""
    (tmp_path / "mine").mkdir()
    folder = os.open(tmp_path / "mine", os.O_RDONLY)
    here = fcntl.fcntl(folder, fcntl.F_DUPFD_CLOEXEC, 900)
    try:
        task = FaultyTask(tmp_path / "count")
        plan = plan_zoo(CONFIG, task)
        with pytest.raises(ZoogenError, match="its machine does not share this folder") as error:
            build_zoo(plan, task, f"/proc/self/fd/{here}/root", PoolConfig(workers=2))
    finally:
        os.close(folder)
        os.close(here)
    assert "\n" not in str(error.value) and not task.trainings()


NODES = """
import sys, threading, time
from ray.cluster_utils import Cluster
from tests.fakes import FaultyTask, TrunkTask
from zoogen.orchestration.cluster import connect
from zoogen.orchestration.pool import build_zoo
from zoogen.zoo.plan import ZooConfig, plan_zoo
from zoogen.zoo.store import ArtifactStore
task = FaultyTask(sys.argv[1], delay=2.0)
plan = plan_zoo(ZooConfig(structures=("2", "3"), runs=4, validation_runs=1, test_runs=1, cohort=2), task)
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
def take_one_away():
    while not ArtifactStore(sys.argv[2]).list("zoo/parts"):
        time.sleep(0.05)
    cluster.remove_node(nodes[0], allow_graceful=False)
    cluster.add_node(num_cpus=1)
chaos = threading.Thread(target=take_one_away)
chaos.start()
with connect(cluster.address):
    report = build_zoo(plan, task, sys.argv[2])
chaos.join()
cluster.shutdown()
print("built", len(report.parts), "deaths", report.deaths)
"""


@pytest.mark.chaos
def test_a_node_that_vanishes(tmp_path):
    task = FaultyTask(tmp_path / "count")
    plan, store = plan_zoo(CONFIG, task), ArtifactStore(tmp_path / "root")
    command = [sys.executable, "-c", NODES, str(tmp_path / "count"), str(tmp_path / "root")]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280)
    assert "built 6 deaths 1" in done.stdout, done
    assert store.list("zoo/parts") == sorted(part_key(cohort) for cohort in plan.cohorts)
    assert store.exists(manifest_key(plan.digest))
    assert sum(task.trainings().values()) == 7, "only what ran on the lost node is trained again"


DRIVER = """
import sys
from tests.fakes import FaultyTask, TrunkTask
from zoogen.orchestration.cluster import connect
from zoogen.orchestration.pool import build_zoo
from zoogen.zoo.plan import ZooConfig, plan_zoo
task = FaultyTask(sys.argv[1], delay=0.5)
config = ZooConfig(structures=("2", "3"), runs=4, validation_runs=1, test_runs=1, cohort=2)
with connect(num_cpus=2):
    report = build_zoo(plan_zoo(config, task), task, sys.argv[2])
print("built", len(report.parts), "reused", report.reused)
"""


@pytest.mark.parametrize(
    "sign", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.chaos)], ids=["SIGKILL", "SIGINT"]
)
def test_a_killed_driver_leaves_a_zoo_that_the_same_command_completes(tmp_path, sign):
    task = FaultyTask(tmp_path / "count")
    plan, store = plan_zoo(CONFIG, task), ArtifactStore(tmp_path / "root")
    command = [sys.executable, "-c", DRIVER, str(tmp_path / "count"), str(tmp_path / "root")]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as driver:
        deadline = time.monotonic() + 120
        while len(store.list("zoo/parts")) < 2:
            assert driver.poll() is None and time.monotonic() < deadline, "the first driver did not get so far"
            time.sleep(0.02)
        driver.send_signal(sign)
        assert driver.wait(timeout=60) != 0
    settled = wait_until_still(task, store)
    assert 2 <= settled < 6 and not store.exists(manifest_key(plan.digest))
    kept = {key: store.local_path_of(key).stat().st_mtime_ns for key in store.list("zoo/parts")}
    committed_before = {cohort.digest for cohort in plan.cohorts if part_key(cohort) in kept}

    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert f"built {6 - settled} reused {settled}" in done.stdout, done
    assert store.list("zoo/parts") == sorted(part_key(cohort) for cohort in plan.cohorts)
    assert all(store.local_path_of(key).stat().st_mtime_ns == time_before for key, time_before in kept.items())
    assert all(task.trainings()[digest] == 1 for digest in committed_before), "what was there is not trained again"
    assert set(task.finished()) == {cohort.digest for cohort in plan.cohorts}
    assert store.exists(manifest_key(plan.digest))


def wait_until_still(task: FaultyTask, store: ArtifactStore) -> int:
    """Orphaned workers may commit for a moment after their driver's death: wait until their processes are gone."""
    deadline = time.monotonic() + 60
    while orphans := [p for p in Path("/proc").glob("[0-9]*") if str(task.folder) in command_line(p)]:
        assert time.monotonic() < deadline, orphans
        time.sleep(0.05)
    before, still = -1, time.monotonic()
    while time.monotonic() - still < 1.5:  # three times as long as a training
        if (now := len(store.list("zoo/parts"))) != before:
            before, still = now, time.monotonic()
        time.sleep(0.05)
    return before


def command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_text()
    except OSError:
        return ""
