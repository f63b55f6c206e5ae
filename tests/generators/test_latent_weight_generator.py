"""From checkpoints to new weights: the right cluster per structure, seeds, bytes, mistakes."""

from dataclasses import replace

import pytest
import torch
from tests.clusters import checkpoint_set, target
from tests.generators.toys import SMALL, loop

from zoogen.autoencoders.config import Conv1dAutoencoderConfig
from zoogen.autoencoders.train import train_codec
from zoogen.errors import ZoogenError
from zoogen.generators import latent_weight_generator
from zoogen.generators.config import DiffusionConfig, SamplerConfig
from zoogen.generators.denoiser_config import ConditionConfig, UNetConfig
from zoogen.generators.diffusion import LatentDiffusion
from zoogen.generators.latent_weight_generator import LatentWeightGenerator
from zoogen.generators.train import train_generator
from zoogen.identity import derive_seed
from zoogen.seeds import seeded_generator
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
def generator() -> LatentWeightGenerator:
    codec = train_codec(AUTOENCODER, TRAIN, seed=0, targets=[target(9)])
    return train_generator(GENERATOR, codec, TRAIN, seed=0, digest="def")


def test_generated_weights_lie_at_the_training_runs_and_reach_them_all(generator: LatentWeightGenerator) -> None:
    for checkpoints in TRAIN:
        weights = generator.generate(checkpoints.target, 60, seed=0)
        assert weights.shape == (60, checkpoints.target.layout.size)
        distances = torch.cdist(weights, checkpoints.weights) / weights.shape[1] ** 0.5
        apart = torch.cdist(checkpoints.weights[:1], checkpoints.weights[3:]).min() / weights.shape[1] ** 0.5
        assert distances.min(1).values.median() < 0.25 * apart
        assert set(checkpoints.runs[distances.argmin(1)].tolist()) == {0, 1, 2, 3}


def test_seed_and_structure_decide_the_result(generator: LatentWeightGenerator) -> None:
    wanted = TRAIN[0].target
    assert torch.equal(generator.generate(wanted, 5, seed=3), generator.generate(wanted, 5, seed=3))
    assert not torch.equal(generator.generate(wanted, 5, seed=3), generator.generate(wanted, 5, seed=4))
    assert len(generator.generate(wanted, 5, seed=3).unique(dim=0)) == 5


def test_chunks_give_every_network(generator: LatentWeightGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latent_weight_generator, "_CHUNK_NUMBERS", 3 * generator.codec.row_length(TRAIN[0].target))
    weights = generator.generate(TRAIN[0].target, 7, seed=0)
    assert weights.shape[0] == len(weights.unique(dim=0)) == 7


@pytest.mark.parametrize("sampler", [None, SamplerConfig(kind="ddpm", steps=30)], ids=["ddim", "ddpm"])
def test_trajectory_begins_with_noise_and_ends_with_what_is_generated(
    generator: LatentWeightGenerator, monkeypatch: pytest.MonkeyPatch, sampler: SamplerConfig | None
) -> None:
    wanted = TRAIN[0].target
    monkeypatch.setattr(latent_weight_generator, "_CHUNK_NUMBERS", 3 * generator.codec.row_length(TRAIN[0].target))
    way = generator.trajectory(wanted, 7, seed=2, points=6, sampler=sampler)
    last = 30 if sampler else 50
    assert [done for done, _ in way] == [last * i // 5 for i in range(6)]
    assert all(weights.shape == (7, wanted.layout.size) for _, weights in way)
    assert torch.equal(way[-1][1], generator.generate(wanted, 7, seed=2, sampler=sampler))
    seed = derive_seed(2, wanted.structure, 3)
    noise = torch.randn(3, generator.codec.latent, generator=seeded_generator(seed))
    torch.testing.assert_close(way[0][1][3:6], generator.codec.decode(wanted, noise))
    nearest = [torch.cdist(weights, TRAIN[0].weights).min(1).values.mean() for _, weights in way]
    assert nearest[-1] < 0.5 * nearest[0]


def test_a_trajectory_has_at_most_all_steps_and_two_ends(generator: LatentWeightGenerator) -> None:
    way = generator.trajectory(TRAIN[0].target, 1, seed=0, points=100, sampler=SamplerConfig(steps=4))
    assert [done for done, _ in way] == [0, 1, 2, 3, 4]
    with pytest.raises(ZoogenError, match="ask for at least 2"):
        generator.trajectory(TRAIN[0].target, 1, seed=0, points=1)


@pytest.mark.parametrize("kind", SMALL)
def test_every_kind_of_denoiser_is_kept_in_an_artifact(generator: LatentWeightGenerator, kind: str) -> None:
    config = DiffusionConfig(denoiser=SMALL[kind], condition=ConditionConfig(drop=0.1), loop=loop(40))
    made = train_generator(config, generator.codec, TRAIN, seed=0)
    again = LatentWeightGenerator.from_bytes(made.to_bytes())
    assert again.config == config and again.to_bytes() == made.to_bytes()
    sampler = SamplerConfig(steps=5, guidance=1.5)
    one = made.generate(TRAIN[0].target, 3, seed=0, sampler=sampler)
    assert torch.equal(one, again.generate(TRAIN[0].target, 3, seed=0, sampler=sampler))
    repeated = train_generator(config, generator.codec, TRAIN, seed=0)
    for name, tensor in made.model.state_dict().items():
        assert torch.equal(tensor, repeated.model.state_dict()[name])


def test_conditions_that_never_differ_or_are_negative(generator: LatentWeightGenerator) -> None:
    """Numbers of any sign are told apart; one that all structures share says nothing; NaN is refused."""
    alike = [
        replace(s, target=replace(s.target, condition=(3.0, sign))) for s, sign in zip(TRAIN, (-2, 2), strict=True)
    ]
    made = train_generator(GENERATOR.model_copy(update={"loop": loop(20)}), generator.codec, alike, seed=0)
    assert isinstance(made.model, LatentDiffusion)
    normalised = made.model.normaliser(torch.tensor([[3.0, -2.0], [3.0, 2.0]]))
    torch.testing.assert_close(normalised, torch.tensor([[0.0, -1.0], [0.0, 1.0]]))
    broken = [replace(TRAIN[0], target=replace(TRAIN[0].target, condition=(float("nan"), 1.0)))]
    with pytest.raises(ZoogenError, match="condition of structure W5 has numbers that are not finite"):
        train_generator(GENERATOR, generator.codec, broken, seed=0)


def test_unseen_structures_are_generated_within_the_length(generator: LatentWeightGenerator) -> None:
    weights = generator.generate(target(9), 3, seed=0)
    assert weights.shape == (3, 36)
    assert weights.isfinite().all()
    with pytest.raises(ZoogenError, match="W12 has 48 weights"):
        generator.generate(target(12), 1, seed=0)
    with pytest.raises(ZoogenError, match="ask for at least 1"):
        generator.generate(target(9), 0, seed=0)


def test_bytes_round_trip(generator: LatentWeightGenerator) -> None:
    again = LatentWeightGenerator.from_bytes(generator.to_bytes())
    sampler = SamplerConfig(kind="ddpm", steps=30)
    for chosen in (None, sampler):
        one = generator.generate(TRAIN[1].target, 4, seed=1, sampler=chosen)
        assert torch.equal(one, again.generate(TRAIN[1].target, 4, seed=1, sampler=chosen))
    assert (again.digest, again.config, list(again.structures)) == ("def", GENERATOR, ["w5", "w8"])
    assert again.to_bytes() == generator.to_bytes()
    with pytest.raises(ZoogenError, match="the generator is damaged"):
        LatentWeightGenerator.from_bytes(b"nothing")
    with pytest.raises(ZoogenError, match="holds a autoencoder, not a generator"):
        LatentWeightGenerator.from_bytes(generator.codec.to_bytes())


def test_averaged_parameters_are_the_ones_that_sample(generator: LatentWeightGenerator) -> None:
    plain = DiffusionConfig.model_validate(
        GENERATOR.model_dump() | {"loop": GENERATOR.loop.model_dump() | {"ema": None}}
    )
    other = train_generator(plain, generator.codec, TRAIN, seed=0)
    assert other.history[-1]["loss"] == generator.history[-1]["loss"]
    one, two = generator.model.state_dict(), other.model.state_dict()
    assert any(not torch.equal(one[name], two[name]) for name in one)


def test_no_checkpoints_is_one_line(generator: LatentWeightGenerator) -> None:
    with pytest.raises(ZoogenError, match="no training checkpoints"):
        train_generator(GENERATOR, generator.codec, [], seed=0)
