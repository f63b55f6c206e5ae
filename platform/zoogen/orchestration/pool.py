"""The actor pool: cohorts of a zoo, trained by workers that the driver supervises.

The driver hands one cohort to each worker, waits for whatever ends first, and replaces workers that
die; their cohort goes back to the head of the queue. Nothing is lost or done twice, since a part in the
store is the only sign that a cohort is done. The driver may be killed too: the next one finds the
parts and trains the rest. What the networks of a structure share is made by a worker, too, supervised in the
same way; the structure's cohorts wait for it, those of others do not.
"""

import time
from collections import Counter
from pathlib import Path
from typing import Any

from zoogen.errors import ZoogenError
from zoogen.numerics import deterministic_here
from zoogen.orchestration.cluster import Cluster, connect, import_ray
from zoogen.orchestration.config import PoolConfig
from zoogen.orchestration.life import Life, Member
from zoogen.orchestration.sharing import Arrival, Gate, mark
from zoogen.orchestration.work import Job, Preparation, Work, WorkQueue, title
from zoogen.orchestration.worker import CohortFailure, CohortWorker, WorkerProgress, last_line
from zoogen.tasks.base import Task
from zoogen.zoo.build import PartReport, ZooReport, begin_zoo, finish_zoo, missing_cohorts
from zoogen.zoo.plan import ZooPlan
from zoogen.zoo.prepare import preparing, unprepared
from zoogen.zoo.progress import ProgressMeter, ZooProgressCallback
from zoogen.zoo.provenance import git_revision
from zoogen.zoo.store import ArtifactStore

TICK = 0.5  # seconds between two rounds of polling
POLLED = 8  # workers asked for progress per round, in turn, however many there are


def build_zoo(
    plan: ZooPlan,
    task: Task,
    store: ArtifactStore | str | Path,
    config: PoolConfig | None = None,
    progress: ZooProgressCallback | None = None,
) -> ZooReport:
    """Build what is missing of a zoo on the connected Ray cluster (or on a local one), and commit the manifest.

    Workers that hang are replaced, and those that do not see the store's folder are noticed before they train.

    Raises:
        ZoogenError: the store or the cluster cannot be used, or cohorts failed; what was built stays.
    """
    start, config = time.perf_counter(), config or PoolConfig()
    store = store if isinstance(store, ArtifactStore) else ArtifactStore(store)
    if store.uri.startswith("memory:"):
        raise ZoogenError(f"{store.uri} lives in one process; give workers a folder or a bucket, or build serially")
    begin_zoo(plan, store)
    task = task.using(store)
    missing, deaths = missing_cohorts(plan, store, sound=task), 0
    parts: tuple[PartReport, ...] = ()
    reused = len(plan.cohorts) - len(missing)
    if missing:
        with connect() as cluster:
            queue = WorkQueue(missing, unprepared(task, missing))
            supervisor = Supervisor(queue, task, store, config, pool_size(config, cluster, len(missing)))
            meter = ProgressMeter(len(plan.cohorts), reused)
            parts, deaths = supervisor.run(meter, progress), supervisor.deaths
    manifest = finish_zoo(plan, store)
    return ZooReport(plan.digest, manifest, parts, reused, time.perf_counter() - start, deaths)


def pool_size(config: PoolConfig, cluster: Cluster, cohorts: int) -> int:
    """Number of workers.

    Raises:
        ZoogenError: the cluster cannot hold one.
    """
    held = cluster.cpus / config.cpus_per_worker
    if config.gpus_per_worker:
        held = min(held, cluster.gpus / config.gpus_per_worker)
    if held < 1:
        has = f"{cluster.cpus:g} CPUs and {cluster.gpus:g} GPUs"
        raise ZoogenError(
            f"a worker wants {config.cpus_per_worker:g} CPUs and {config.gpus_per_worker:g} GPUs, "
            f"the cluster has {has}; lower pool.cpus_per_worker or pool.gpus_per_worker"
        )
    return min(cohorts, int(held) if config.workers == "auto" else config.workers)


class Supervisor:
    """Keeps workers alive and busy until the queue is empty."""

    def __init__(self, queue: WorkQueue, task: Task, store: ArtifactStore, config: PoolConfig, size: int) -> None:
        self._ray = import_ray()
        self._queue, self._task, self._store, self._config, self._size = queue, task, store, config, size
        # A task of many megabytes would travel once for every worker: once is enough.
        self._task_sent = self._ray.put(task)
        self._gate = Gate(self._ray, config.cpus_per_worker, config.gpus_per_worker)
        self._actor = self._ray.remote(CohortWorker).options(
            num_cpus=config.cpus_per_worker,
            num_gpus=config.gpus_per_worker,
            max_restarts=0,  # Ray would restart a worker without its cohort
            max_task_retries=0,
            max_concurrency=2,  # one call builds, another asks for progress
            scheduling_strategy="SPREAD",
        )
        self._workers: list[Member] = []
        self._calls: dict[Any, tuple[Member, str]] = {}
        self._parts: list[PartReport] = []
        self._failures: list[tuple[Work, str]] = []
        self._attempts: Counter[str] = Counter()
        self._idle_deaths = 0  # in a row, of workers without a cohort: workers that cannot even start
        self._message = ""
        self.deaths = 0

    def run(self, meter: ProgressMeter, progress: ZooProgressCallback | None) -> tuple[PartReport, ...]:
        """Build all cohorts; reports in the order of completion.

        Raises:
            ZoogenError: cohorts failed, or workers cannot start.
        """
        self._meter = meter
        try:
            with mark(self._store) as shared:
                self._work(shared, progress)
        finally:
            for worker in self._workers:
                self._ray.kill(worker.handle)
        if self._failures:
            work, reason = self._failures[0]
            more = f" (and {len(self._failures) - 1} more)" if len(self._failures) > 1 else ""
            raise ZoogenError(
                f"{title(work)}{more} failed: {reason}; "
                f"{meter.finished} finished parts are kept, the same command continues"
            )
        if progress is not None:
            progress(meter.snapshot(self._message))
        return tuple(self._parts)

    def _work(self, shared: str, progress: ZooProgressCallback | None) -> None:
        next_round, said = time.monotonic(), self._message
        while self._queue or self._busy():
            self._spawn(shared)
            self._assign()
            done, _ = self._ray.wait(list(self._calls), num_returns=1, timeout=TICK)
            for call in done:
                self._receive(call)
            self._look_after(time.monotonic())
            if (now := time.monotonic()) >= next_round or self._message != said:  # news do not wait
                next_round, said = now + TICK, self._message
                self._poll()
                if progress is not None:
                    progress(self._meter.snapshot(self._message or ("" if self._busy() else "waiting for workers")))

    def _busy(self) -> list[Member]:
        return [worker for worker in self._workers if worker.work is not None]

    def _spawn(self, shared: str) -> None:
        device = "cuda" if self._config.gpus_per_worker else "cpu"
        settings = (self._config.threads, device, git_revision(), deterministic_here())
        while len(self._workers) < min(self._size, len(self._queue) + len(self._busy())):
            worker = Member(self._actor.remote(self._task_sent, self._store, shared, *settings))
            self._workers.append(worker)
            self._calls[worker.handle.ready.remote()] = (worker, "ready")

    def _assign(self) -> None:
        ready = [worker for worker in self._workers if worker.ready]
        if not self._gate.is_open(len(self._workers), len(ready)):
            return
        for worker in ready:
            if worker.work is None and (work := self._queue.take()) is not None:
                worker.work, worker.life = work, Life(self._config, time.monotonic())
                if isinstance(work, Preparation):
                    self._calls[worker.handle.prepare.remote(work)] = (worker, "prepare")
                    self._meter.prepare(work.digest)
                    self._message = preparing(self._task.label(work.structure))
                elif isinstance(work, Job):
                    self._calls[worker.handle.run.remote(work)] = (worker, "run")
                    self._meter.start(work.digest)
                else:
                    self._calls[worker.handle.build.remote(work)] = (worker, "build")
                    self._meter.start(work.digest)

    def _poll(self) -> None:
        unasked = [worker for worker in self._busy() if not worker.polled]
        for worker in unasked[:POLLED]:
            worker.polled = True
            self._calls[worker.handle.progress.remote()] = (worker, "progress")
        if len(unasked) > POLLED:  # those that were not asked come first in the next round
            self._workers.sort(key=lambda worker: worker in unasked[:POLLED])

    def _receive(self, call: Any) -> None:
        worker, kind = self._calls.pop(call)
        try:
            result = self._ray.get(call)
        except self._ray.exceptions.RayTaskError as error:  # such as a result that cannot be sent
            result = CohortFailure("", last_line(error))
        except self._ray.exceptions.RayError as error:
            if worker in self._workers:  # its other calls tell the same
                self._bury(worker, last_line(error))
            return
        if isinstance(result, Arrival):
            self._welcome(worker, result)
        elif kind == "progress":
            worker.polled = False
            if isinstance(result, WorkerProgress) and worker.work is not None and worker.life is not None:
                self._meter.update(result.work, result.done, result.total, result.figures)
                worker.life.hear(result, time.monotonic())
                self._message = result.waiting or self._message
        elif (work := worker.work) is not None:
            worker.work = None
            self._end(work, result)

    def _welcome(self, worker: Member, arrival: Arrival) -> None:
        if not arrival.obstacle:
            worker.ready, worker.process, worker.node = True, arrival.process, arrival.node
            self._gate.answered(arrival.node)
            return
        self._size -= 1
        if not self._gate.opened or self._size == 0:
            raise ZoogenError(arrival.obstacle)
        self._message = f"{arrival.obstacle}; the others go on"  # its machine joined later
        self._workers.remove(worker)
        self._ray.kill(worker.handle)

    def _look_after(self, now: float) -> None:
        """Tell of workers that are silent, and replace those that hang."""
        self._meter.silent = 0
        for worker in self._busy():
            assert worker.work is not None and worker.life is not None
            self._meter.silent += worker.life.silent(now)
            if why := worker.life.hangs(now):
                worker.end(self._ray)
                self._bury(worker, why, "hangs")
            elif notice := worker.life.notice(now):
                self._message = f"{title(worker.work)}: {notice}"

    def _end(self, work: Work, result: PartReport | CohortFailure | None) -> None:
        if isinstance(result, CohortFailure):
            self._meter.lost(work.digest)
            self._fail(work, result.reason)
            return
        self._idle_deaths, self._message = 0, ""
        if isinstance(result, PartReport):
            self._meter.finish(work.digest, result.rows)
            self._parts.append(result)
        elif isinstance(work, Job):
            self._meter.finish(work.digest, 0)
        else:
            self._meter.lost(work.digest)
            self._queue.prepared(work.structure)

    def _bury(self, worker: Member, reason: str, how: str = "died") -> None:
        """Give the cohort of a worker that died or hangs to another one."""
        self.deaths += 1
        self._workers.remove(worker)
        # "Unavailable" may mean that it still works: two may write one part, two may not fill one machine.
        self._ray.kill(worker.handle)
        if (work := worker.work) is None:
            self._idle_deaths += 1
            if self._idle_deaths >= self._config.max_attempts * self._size:
                raise ZoogenError(f"workers cannot start: {reason}; see Ray's logs in /tmp/ray/session_latest/logs")
            return
        self._meter.lost(work.digest)
        self._attempts[work.digest] += 1
        attempts, allowed = self._attempts[work.digest], self._config.max_attempts
        if attempts < allowed:
            self._queue.again(work)
            self._message = f"a worker {how}; {title(work)} starts again ({attempts} of {allowed} attempts, {reason})"
        else:
            advice = "out of memory? lower zoo.cohort or pool.workers" if how == "died" else "raise that if it is slow"
            self._fail(work, f"{attempts} workers died of it ({reason}); {advice}")

    def _fail(self, work: Work, reason: str) -> None:
        self._failures.append((work, reason))
        self._message = f"{title(work)} failed: {reason}"
        if isinstance(work, Preparation):
            self._queue.drop(work.structure)
        if len(self._failures) >= self._config.max_attempts:
            self._queue.clear()  # it is not this cohort alone: finish what runs, then say so
