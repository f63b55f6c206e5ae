"""Where a study computes: in this process, and which of Ray's workers on GPUs if the configuration leaves it open."""

import math
from typing import Literal

import torch

from zoogen.errors import ZoogenError
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


def resolve_device(given: str) -> str:
    """`auto` is CUDA where there is one.

    Raises:
        ZoogenError: CUDA is asked for and not there.
    """
    if given == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if given == "cuda" and not torch.cuda.is_available():
        raise ZoogenError("device=cuda, but torch sees no CUDA device; set device to auto or cpu")
    return given
