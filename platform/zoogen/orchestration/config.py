"""Configuration of workers: those of the pool, and those of trainings."""

from typing import Literal

from pydantic import Field, PositiveInt

from zoogen.config import Config


class PoolConfig(Config):
    """Workers that train cohorts and judge structures."""

    workers: PositiveInt | Literal["auto"] = Field("auto", description="workers; auto: as many as the cluster holds")
    cpus_per_worker: float = Field(1.0, gt=0, description="CPUs that Ray reserves for a worker")
    gpus_per_worker: float = Field(
        0.0, ge=0, description="GPUs for a worker, fractions share one; 0: what `device` says"
    )
    threads: PositiveInt = Field(1, description="torch threads of a worker")
    max_attempts: PositiveInt = Field(3, description="workers that may die of one cohort before it is given up")
    heartbeat_s: float = Field(
        600.0,
        gt=0,
        description="seconds after which a worker that neither comes further nor uses its processor is replaced",
    )
    progress_s: float = Field(
        7200.0, gt=0, description="seconds after which a worker that does not come further is replaced, busy or not"
    )


class TrainConfig(Config):
    """How many workers train, and on what."""

    workers: int = Field(1, ge=1, description="processes that share each batch; gradients are averaged")
    use_gpu: bool = Field(False, description="one GPU per worker and nccl; false: what `device` says")
    cpus_per_worker: float = Field(1, gt=0)
    max_failures: int = Field(3, ge=0, description="worker failures after which the training is given up")
