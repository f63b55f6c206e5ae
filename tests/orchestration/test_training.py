"""Ray Train on a real local Ray: equal to the plain loop, two workers, a killed worker, finished runs."""

import os
import signal
from pathlib import Path

import pytest
import torch
from tests.clusters import checkpoint_set
from tests.generators.source.grids import TASK, TAUGHT, source_config

from zoogen.autoencoders.config import (
    AutoencoderConfig,
    ChunkedAutoencoderConfig,
    Conv1dAutoencoderConfig,
    LinearAutoencoderConfig,
    LossConfig,
    PDiffAutoencoderConfig,
    TokenAutoencoderConfig,
)
from zoogen.autoencoders.train import train_codec
from zoogen.errors import ZoogenError
from zoogen.generators.config import DiffusionConfig
from zoogen.generators.denoiser_config import UNetConfig
from zoogen.generators.source.generator import SourceWeightGenerator
from zoogen.generators.source.train import train_source_generator
from zoogen.generators.train import train_generator
from zoogen.orchestration.cluster import connect
from zoogen.orchestration.training import (
    RayRun,
    TrainConfig,
    train_codec_on_ray,
    train_generator_on_ray,
    train_source_generator_on_ray,
)
from zoogen.tasks.hypergrid.config import HypergridConfig
from zoogen.tasks.hypergrid.task import HypergridTask
from zoogen.training.config import EmaConfig, LoopConfig
from zoogen.zoo.read import CheckpointSet

TRAIN = [checkpoint_set(5), checkpoint_set(8)]
LOOP = LoopConfig(iterations=40, batch_size=8, log_every=10, checkpoint_every=20, ema=EmaConfig(decay=0.9))
AUTOENCODER = Conv1dAutoencoderConfig(latent=8, channels=(4, 8), kernel=3, stride=2, loop=LOOP)
PDIFF = PDiffAutoencoderConfig(latent=8, channels=(4, 8), loop=LOOP)
LINEAR = LinearAutoencoderConfig(latent=4)
CHUNKED = ChunkedAutoencoderConfig(chunk=8, tokens=2, width=8, blocks=0, position=2, loop=LOOP)
GENERATOR = DiffusionConfig(denoiser=UNetConfig(channels=(2, 4), middle=16, embedding=8), loop=LOOP)


@pytest.fixture(scope="module")
def cluster():
    with connect(num_cpus=2) as connected:
        yield connected


def test_two_gloo_workers_train_one_model(cluster, tmp_path) -> None:
    """Equal parameters whatever the ranks draw: the result is that of rank 0, and the loss falls."""
    codec = train_codec(AUTOENCODER, TRAIN, seed=0)
    run = RayRun(TrainConfig(workers=2), str(tmp_path), "generator-2")
    generator = train_generator_on_ray(GENERATOR, codec, TRAIN, seed=0, run=run)
    assert generator.generate(TRAIN[0].target, 3, seed=0).shape == (3, 20)
    assert generator.history[-1]["loss"] < generator.history[0]["loss"]
    alone = train_generator(GENERATOR, codec, TRAIN, seed=0)
    assert generator.history[0]["loss"] != alone.history[0]["loss"]  # half of the batch each, drawn by rank


@pytest.mark.parametrize(
    "config", [LINEAR, pytest.param(PDIFF, marks=pytest.mark.slow)], ids=lambda config: config.kind
)
def test_one_worker_gives_the_bits_of_the_plain_loop_for_every_kind(
    cluster, tmp_path, config: AutoencoderConfig
) -> None:
    steps: list[int] = []
    plain = train_codec(config, TRAIN, TRAIN, seed=0)
    run = RayRun(TrainConfig(), str(tmp_path), "one")
    codec = train_codec_on_ray(config, TRAIN, TRAIN, seed=0, run=run, log=lambda step, *_: steps.append(step))
    state = codec.autoencoder.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in plain.autoencoder.state_dict().items())
    assert (dict(codec.figures), codec.notices, steps[-1]) == (dict(plain.figures), plain.notices, config.iterations)


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_behaviour_is_taught_on_workers_too(cluster, tmp_path, workers: int) -> None:
    """The task goes along; one worker gives the bits of the plain loop."""
    task, runs = HypergridTask(HypergridConfig()), torch.arange(4)
    sets = [CheckpointSet(task.target(s), task.aligned(s, [0, 1, 2, 3]), runs, runs, {}) for s in ("3^2", "4^2")]
    loss = LossConfig(weights=0.1, behaviour=1.0, inputs=16, pool=64)
    config = TokenAutoencoderConfig(latent=4, width=16, blocks=1, loss=loss, loop=LOOP)
    run = RayRun(TrainConfig(workers=workers), str(tmp_path), "behaviour")
    codec = train_codec_on_ray(config, sets, seed=0, run=run, task=task)
    assert codec.history[-1]["behaviour"] < codec.history[0]["behaviour"]
    plain = train_codec(config, sets, seed=0, task=task).autoencoder.state_dict()
    state = codec.autoencoder.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in plain.items()) == (workers == 1)


@pytest.mark.parametrize(
    "config",
    [PDIFF, *(pytest.param(config, marks=pytest.mark.slow) for config in (LINEAR, CHUNKED))],
    ids=lambda config: config.kind,
)
def test_two_workers_train_every_kind(cluster, tmp_path, config: AutoencoderConfig) -> None:
    """Batch normalisation, a closed form, and parameters that nothing looks at."""
    codec = train_codec_on_ray(config, TRAIN, seed=0, run=RayRun(TrainConfig(workers=2), str(tmp_path), "two"))
    losses = [entry["loss"] for entry in codec.history]
    assert len(losses) == 1 or losses[-1] < losses[0]
    counts = [v for name, v in codec.autoencoder.named_buffers() if name.endswith("num_batches_tracked")]
    assert {int(count) for count in counts} == ({LOOP.iterations} if config is PDIFF else set())
    if config is LINEAR:
        assert torch.equal(codec.latent_std, train_codec(config, TRAIN, seed=0).latent_std)


def _training_workers() -> list[int]:
    """Process ids of Ray Train's workers among this process's descendants."""
    found, parents = [], {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if "RayTrainWorker" in (entry / "cmdline").read_text():
                    found.append(int(entry.name))
            except OSError:
                continue

    def ours(pid: int) -> bool:
        while pid in parents and pid != os.getpid():
            pid = parents[pid]
        return pid == os.getpid()

    return [pid for pid in found if ours(pid)]


def test_one_worker_gives_the_bits_of_the_plain_loop_though_it_is_killed(cluster, tmp_path) -> None:
    loop = LOOP.model_copy(update={"iterations": 3000, "checkpoint_every": 200, "log_every": 100})
    config = AUTOENCODER.model_copy(update={"loop": loop})
    plain = train_codec(config, TRAIN, TRAIN, seed=1, digest="abc")
    killed, steps = [], []

    def log(step: int, total: int, figures: dict) -> None:
        steps.append(step)
        if not killed and step >= 400:  # a checkpoint is there, and most of the training still to come
            killed.extend(_training_workers())
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    run = RayRun(TrainConfig(max_failures=1), str(tmp_path), "killed")
    codec = train_codec_on_ray(config, TRAIN, TRAIN, seed=1, digest="abc", run=run, log=log)
    assert len(killed) == 1
    assert (steps.count(100), steps[-1]) == (1, 3000), "it went on from a checkpoint"
    for name, tensor in plain.autoencoder.state_dict().items():
        assert torch.equal(tensor, codec.autoencoder.state_dict()[name])
    assert torch.equal(plain.latent_std, codec.latent_std)
    assert (dict(codec.figures), list(codec.history), codec.digest) == (dict(plain.figures), list(plain.history), "abc")

    steps.clear()  # what is finished is read, not trained
    again = train_codec_on_ray(config, TRAIN, TRAIN, seed=1, digest="abc", run=run, log=log)
    assert (again.to_bytes(), steps) == (codec.to_bytes(), [])


def test_too_many_workers_are_one_line(cluster, tmp_path) -> None:
    with pytest.raises(ZoogenError, match="3 training workers need 3 CPUs, the cluster has 2"):
        train_codec_on_ray(AUTOENCODER, TRAIN, seed=0, run=RayRun(TrainConfig(workers=3), str(tmp_path), "many"))


@pytest.mark.slow
def test_a_mistake_in_a_worker_is_one_line(cluster, tmp_path) -> None:
    with pytest.raises(ZoogenError, match="no training checkpoints"):
        train_codec_on_ray(AUTOENCODER, [], seed=0, run=RayRun(TrainConfig(max_failures=0), str(tmp_path), "empty"))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_source_generator_learns_on_workers(cluster, tmp_path, workers: int) -> None:
    """One worker gives the bits of the plain loop; two, each with its own structures, one network that learns."""
    config = source_config(40)
    run = RayRun(TrainConfig(workers=workers), str(tmp_path), "source")
    made = train_source_generator_on_ray(config, TASK, TAUGHT, seed=0, run=run, digest="abc")
    plain = train_source_generator(config, TASK, TAUGHT, seed=0, digest="abc")
    assert isinstance(made, SourceWeightGenerator) and made.digest == "abc"
    pairs = zip(made.network.state_dict().values(), plain.network.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs) == (workers == 1)
    assert made.history[-1]["loss"] < made.history[0]["loss"]
