"""Which of Ray's workers compute on GPUs, where the configuration leaves it open."""

import math
from typing import Literal

from zoogen.orchestration.pool import PoolConfig
from zoogen.orchestration.training import TrainConfig

Device = Literal["auto", "cpu", "cuda"]


def pool_on(device: Device, config: PoolConfig, gpus: float) -> PoolConfig:
    """The workers that train cohorts on `device`, in a cluster with so many GPUs.

    A number of GPUs that the configuration gives stays. Otherwise a worker gets one, or the share that lets all of a
    given number of workers have some; `auto` takes what there is.
    """
    if config.gpus_per_worker or device == "cpu" or (device == "auto" and not gpus):
        return config
    workers = 1 if config.workers == "auto" else config.workers
    share = math.floor(min(1.0, max(gpus, 1.0) / workers) * 1e4) / 1e4  # Ray counts in ten-thousandths
    return config.model_copy(update={"gpus_per_worker": max(share, 1e-4)})


def training_on(device: Device, config: TrainConfig, gpus: float) -> TrainConfig:
    """The workers that train autoencoder and generator; `auto` takes GPUs where each worker can have one."""
    enough = device == "auto" and gpus >= config.workers
    return config.model_copy(update={"use_gpu": config.use_gpu or enough or device == "cuda"})
