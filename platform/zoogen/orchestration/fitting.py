"""One training on the workers of Ray Train: checkpoints, progress, and the artifact that it leaves.

Workers get their data through the object store. A run's storage is named by the caller (by a digest), so the same
call again goes on from the last checkpoint, and returns at once what was finished before.
"""

import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from zoogen.errors import ZoogenError
from zoogen.numerics import deterministic, deterministic_here
from zoogen.orchestration.cluster import import_ray
from zoogen.orchestration.config import TrainConfig
from zoogen.secrets import mask_output
from zoogen.training.hooks import Figures, LoopHooks
from zoogen.weights.packing import read_whole

Log = Callable[[int, int, Figures], None]  # (iterations done, total, figures)

_STATE, _ARTIFACT = "state.safetensors", "artifact.safetensors"
_POLL_SECONDS = 0.5
# Workers are polled every 2 s by default, which is most of the start-up time of a short training.
_HEALTH_CHECK = ("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2")


@dataclass(frozen=True)
class RayRun:
    """Where a training runs and keeps its checkpoints.

    Attributes:
        config: workers.
        storage: folder or URI that all nodes reach, for example `<artifact root>/ray`.
        name: folder within it, unique to what is trained: derive it from a digest.
    """

    config: TrainConfig
    storage: str
    name: str


class Job(Protocol):
    """What every worker calls."""

    def run(self, device: str, hooks: LoopHooks) -> bytes:
        """The artifact."""


def fit_on_ray(job: Job, run: RayRun, log: Log | None) -> bytes:
    """The artifact that the workers make of a job."""
    ray = import_ray()
    os.environ.setdefault(*_HEALTH_CHECK)
    import ray.train as api
    from ray.train.torch import TorchConfig, TorchTrainer

    class Trainer(TorchTrainer):
        def _register_sigint_handler(self, controller: Any) -> None:
            """Ctrl-C is the caller's: Train's own handler would stay after the training, and end it as a failed one."""

    train: Any = api  # Ray's annotations describe the older Train
    config = run.config
    _require_resources(ray, config)
    board = ray.remote(num_cpus=0)(_Board).remote()
    resources = {"CPU": config.cpus_per_worker, **({"GPU": 1.0} if config.use_gpu else {})}
    trainer = Trainer(
        _work,
        train_loop_config={"job": ray.put(job), "board": board, "config": config, "same": deterministic_here()},
        torch_config=TorchConfig(backend="nccl" if config.use_gpu else "gloo"),
        scaling_config=train.ScalingConfig(
            num_workers=config.workers, use_gpu=config.use_gpu, resources_per_worker=resources
        ),
        run_config=train.RunConfig(
            name=run.name,
            storage_path=run.storage if "://" in run.storage else str(Path(run.storage).resolve()),
            failure_config=train.FailureConfig(max_failures=config.max_failures),
            checkpoint_config=train.CheckpointConfig(num_to_keep=1),
            logging_config=train.LoggingConfig(log_level="ERROR"),
        ),
    )
    try:
        with _followed(ray, board, log):
            result = trainer.fit()
    except train.TrainingFailedError as error:
        raise _explained(error, run) from None
    if result.checkpoint is None:
        raise ZoogenError(f"training {run.name} left no checkpoint in {run.storage}; delete that folder and run again")
    with result.checkpoint.as_directory() as folder:
        return Path(folder, _ARTIFACT).read_bytes()


def _require_resources(ray: Any, config: TrainConfig) -> None:
    """Ray would wait without end for resources that the cluster does not have."""
    there = ray.cluster_resources()
    for name, wanted in (("CPU", config.workers * config.cpus_per_worker), ("GPU", config.workers * config.use_gpu)):
        if wanted > there.get(name, 0):
            raise ZoogenError(
                f"{config.workers} training workers need {wanted:g} {name}s, the cluster has {there.get(name, 0):g}; "
                "lower train.workers or train.cpus_per_worker, or add nodes"
            )


def _explained(error: Exception, run: RayRun) -> ZoogenError:
    """The worker's own one-line error where there is one."""
    failures = getattr(error, "worker_failures", {}) or {}
    for failure in failures.values():
        cause = getattr(failure, "cause", None) or getattr(failure, "_base_exc", None) or failure
        if isinstance(cause, ZoogenError):
            return ZoogenError(str(cause))
    reason = " ".join(str(next(iter(failures.values()), error)).split())
    return ZoogenError(f"training {run.name} failed too often ({reason[-200:]}); the same command again resumes it")


class _Board:
    """Actor through which rank 0 tells the driver of its progress."""

    def __init__(self) -> None:
        self.entries: list[tuple[int, int, dict[str, float]]] = []

    def post(self, step: int, total: int, figures: dict[str, float]) -> None:
        self.entries.append((step, total, figures))

    def take(self) -> list[tuple[int, int, dict[str, float]]]:
        entries, self.entries = self.entries, []
        return entries


@contextmanager
def _followed(ray: Any, board: Any, log: Log | None) -> Iterator[None]:
    """Pass what is posted on the board on to `log`, from a thread of its own."""
    done = threading.Event()

    def deliver() -> None:
        for entry in ray.get(board.take.remote()):
            if log is not None:
                log(*entry)

    def follow() -> None:
        while not done.wait(_POLL_SECONDS):
            deliver()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        deliver()


def _work(settings: dict[str, Any]) -> None:
    """What a worker does."""
    import ray

    mask_output()
    torch.set_num_threads(max(1, int(settings["config"].cpus_per_worker)))
    hooks = _RayHooks(settings["board"])
    if not hooks.finished:
        device = "cuda" if torch.cuda.is_available() and ray.get_gpu_ids() else "cpu"
        with deterministic(settings["same"]):
            hooks.report(_ARTIFACT, ray.get(settings["job"]).run(device, hooks), {})


class _RayHooks:
    """The training loop's hooks within a Ray Train worker."""

    def __init__(self, board: Any) -> None:
        from ray import train

        context = train.get_context()
        self.board, self.rank, self.world_size = board, context.get_world_rank(), context.get_world_size()
        self.initial_state: bytes | None = None
        self.finished = False
        checkpoint = train.get_checkpoint()
        if checkpoint is not None:
            with checkpoint.as_directory() as folder:
                self.finished = read_whole(Path(folder, _ARTIFACT)) is not None
                self.initial_state = None if self.finished else read_whole(Path(folder, _STATE))

    def on_log(self, step: int, total: int, figures: Figures) -> None:
        if self.rank == 0:
            self.board.post.remote(step, total, dict(figures))

    def on_checkpoint(self, state: bytes, step: int, figures: Figures) -> None:
        self.report(_STATE, state, figures)

    def wrap(self, module: nn.Module) -> nn.Module:
        """Rank 0's running statistics of batch normalisation, which are those of its share of each batch, are the
        result's. Other buffers are the same everywhere, and some are as large as the data: they are not sent around."""
        if self.world_size == 1:
            return module
        running = any(isinstance(part, _BatchNorm) for part in module.modules())
        return nn.parallel.DistributedDataParallel(module, broadcast_buffers=running)

    def report(self, file: str, data: bytes, figures: Figures) -> None:
        """Every rank reports, rank 0 with the checkpoint: all ranks hold the same parameters."""
        from ray import train

        if self.rank != 0:
            train.report(dict(figures))
            return
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, file).write_bytes(data)
            train.report(dict(figures), checkpoint=train.Checkpoint.from_directory(folder))
