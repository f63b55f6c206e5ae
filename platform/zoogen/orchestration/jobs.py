"""Jobs on the actor pool: supervised as cohorts are, without what makes a zoo of them."""

from collections.abc import Sequence

from zoogen.errors import ZoogenError
from zoogen.orchestration.cluster import connect
from zoogen.orchestration.config import PoolConfig
from zoogen.orchestration.pool import Supervisor, pool_size
from zoogen.orchestration.work import Job, WorkQueue
from zoogen.tasks.base import Task
from zoogen.zoo.progress import ProgressMeter, ZooProgressCallback
from zoogen.zoo.store import ArtifactStore


def run_jobs(
    jobs: Sequence[Job],
    task: Task,
    store: ArtifactStore,
    config: PoolConfig,
    progress: ZooProgressCallback | None = None,
    reused: int = 0,
) -> int:
    """Do all jobs on the connected Ray cluster (or on a local one); the job of a worker that dies goes to another.

    Args:
        jobs: at least one.
        task: for labels.
        store: where jobs keep their results.
        config: the workers.
        progress: told how far all are.
        reused: jobs that were done before, which count as done in the progress.

    Returns:
        How many workers died.

    Raises:
        ZoogenError: the store lives in this process, the cluster cannot be used, or jobs failed; the others are done.
    """
    if store.uri.startswith("memory:"):
        raise ZoogenError(f"{store.uri} lives in one process; give workers a folder or a bucket, or set ray=null")
    with connect() as cluster:
        supervisor = Supervisor(WorkQueue(jobs, ()), task, store, config, pool_size(config, cluster, len(jobs)))
        supervisor.run(ProgressMeter(reused + len(jobs), reused), progress)
    return supervisor.deaths
