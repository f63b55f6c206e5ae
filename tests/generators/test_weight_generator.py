"""From checkpoints to new weights: the right cluster per structure, seeds, bytes, mistakes."""

import pytest
import torch
from tests.clusters import checkpoint_set, target

from zoogen.autoencoders.config import Conv1dAutoencoderConfig
from zoogen.autoencoders.train import train_codec
from zoogen.errors import ZoogenError
from zoogen.generators import weight_generator
from zoogen.generators.config import DiffusionConfig, SamplerConfig, UNetConfig
from zoogen.generators.train import train_generator
from zoogen.generators.weight_generator import WeightGenerator
from zoogen.training.config import AdamWConfig, EmaConfig, LoopConfig, ScheduleConfig

TRAIN = [checkpoint_set(5), checkpoint_set(8)]
AUTOENCODER = Conv1dAutoencoderConfig(
    latent=16,
    channels=(4, 8),
    kernel=3,
    stride=2,
    loop=LoopConfig(
        iterations=400, batch_size=16, optimiser=AdamWConfig(lr=5e-3), schedule=ScheduleConfig(kind="cosine")
    ),
)
GENERATOR = DiffusionConfig(
    denoiser=UNetConfig(channels=(2, 4), middle=128, embedding=32),
    loop=LoopConfig(
        iterations=800,
        batch_size=64,
        optimiser=AdamWConfig(lr=5e-3),
        schedule=ScheduleConfig(kind="cosine", warmup=20),
        ema=EmaConfig(decay=0.99, warmup=True),
    ),
)


@pytest.fixture(scope="module")
def generator() -> WeightGenerator:
    codec = train_codec(AUTOENCODER, TRAIN, seed=0, targets=[target(9)])
    return train_generator(GENERATOR, codec, TRAIN, seed=0, digest="def")


def test_generated_weights_lie_at_the_training_runs_and_reach_them_all(generator: WeightGenerator) -> None:
    for checkpoints in TRAIN:
        weights = generator.generate(checkpoints.target, 60, seed=0)
        assert weights.shape == (60, checkpoints.target.layout.size)
        distances = torch.cdist(weights, checkpoints.weights) / weights.shape[1] ** 0.5
        apart = torch.cdist(checkpoints.weights[:1], checkpoints.weights[3:]).min() / weights.shape[1] ** 0.5
        assert distances.min(1).values.median() < 0.25 * apart
        assert set(checkpoints.runs[distances.argmin(1)].tolist()) == {0, 1, 2, 3}


def test_seed_and_structure_decide_the_result(generator: WeightGenerator) -> None:
    wanted = TRAIN[0].target
    assert torch.equal(generator.generate(wanted, 5, seed=3), generator.generate(wanted, 5, seed=3))
    assert not torch.equal(generator.generate(wanted, 5, seed=3), generator.generate(wanted, 5, seed=4))
    assert len(generator.generate(wanted, 5, seed=3).unique(dim=0)) == 5


def test_chunks_give_every_network(generator: WeightGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weight_generator, "_CHUNK_NUMBERS", 3 * generator.codec.length)
    weights = generator.generate(TRAIN[0].target, 7, seed=0)
    assert weights.shape[0] == len(weights.unique(dim=0)) == 7


def test_unseen_structures_are_generated_within_the_length(generator: WeightGenerator) -> None:
    weights = generator.generate(target(9), 3, seed=0)
    assert weights.shape == (3, 36)
    assert weights.isfinite().all()
    with pytest.raises(ZoogenError, match="W12 has 48 weights"):
        generator.generate(target(12), 1, seed=0)
    with pytest.raises(ZoogenError, match="ask for at least 1"):
        generator.generate(target(9), 0, seed=0)


def test_bytes_round_trip(generator: WeightGenerator) -> None:
    again = WeightGenerator.from_bytes(generator.to_bytes())
    sampler = SamplerConfig(kind="ddpm", steps=30)
    for chosen in (None, sampler):
        one = generator.generate(TRAIN[1].target, 4, seed=1, sampler=chosen)
        assert torch.equal(one, again.generate(TRAIN[1].target, 4, seed=1, sampler=chosen))
    assert (again.digest, again.config, list(again.structures)) == ("def", GENERATOR, ["w5", "w8"])
    assert again.to_bytes() == generator.to_bytes()
    with pytest.raises(ZoogenError, match="damaged generator"):
        WeightGenerator.from_bytes(b"nothing")
    with pytest.raises(ZoogenError, match="holds a autoencoder, not a generator"):
        WeightGenerator.from_bytes(generator.codec.to_bytes())


def test_averaged_parameters_are_the_ones_that_sample(generator: WeightGenerator) -> None:
    plain = DiffusionConfig.model_validate(
        GENERATOR.model_dump() | {"loop": GENERATOR.loop.model_dump() | {"ema": None}}
    )
    other = train_generator(plain, generator.codec, TRAIN, seed=0)
    assert other.history[-1]["loss"] == generator.history[-1]["loss"]
    one, two = generator.model.state_dict(), other.model.state_dict()
    assert any(not torch.equal(one[name], two[name]) for name in one)


def test_no_checkpoints_is_one_line(generator: WeightGenerator) -> None:
    with pytest.raises(ZoogenError, match="no training checkpoints"):
        train_generator(GENERATOR, generator.codec, [], seed=0)
