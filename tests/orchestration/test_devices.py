"""Where Ray's workers compute: `device` decides what the pool and the trainings leave open."""

from zoogen.orchestration.devices import pool_on, training_on
from zoogen.orchestration.pool import PoolConfig
from zoogen.orchestration.training import TrainConfig


def test_auto_takes_the_gpus_of_the_cluster() -> None:
    assert pool_on("auto", PoolConfig(), 0).gpus_per_worker == 0
    assert pool_on("auto", PoolConfig(), 2).gpus_per_worker == 1
    assert not training_on("auto", TrainConfig(), 0).use_gpu
    assert training_on("auto", TrainConfig(), 1).use_gpu
    assert not training_on("auto", TrainConfig(workers=3), 2).use_gpu, "one worker would have none"


def test_a_given_number_of_workers_shares_the_gpus() -> None:
    shares = [pool_on("auto", PoolConfig(workers=workers), 2).gpus_per_worker for workers in (1, 2, 3, 16)]
    assert shares == [1, 1, 0.6666, 0.125]
    assert all(share * workers <= 2 for share, workers in zip(shares, (1, 2, 3, 16), strict=True))


def test_cuda_asks_for_gpus_whatever_the_cluster_has_and_cpu_for_none() -> None:
    assert pool_on("cuda", PoolConfig(), 0).gpus_per_worker == 1
    assert training_on("cuda", TrainConfig(), 0).use_gpu
    assert pool_on("cpu", PoolConfig(), 4).gpus_per_worker == 0
    assert not training_on("cpu", TrainConfig(), 4).use_gpu


def test_what_the_configuration_says_stays() -> None:
    given = PoolConfig(gpus_per_worker=0.25)
    assert pool_on("auto", given, 8) == pool_on("cpu", given, 8) == given
    assert training_on("cpu", TrainConfig(use_gpu=True), 8).use_gpu
