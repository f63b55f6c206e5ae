"""p-diff's autoencoder, and the variational form of both convolutional kinds."""

import pytest
import torch
from tests.clusters import checkpoint_set, target
from torch import nn
from torch.distributions import Normal, kl_divergence

from zoogen.autoencoders.batch import WeightBatch
from zoogen.autoencoders.build import build_autoencoder, padded_length
from zoogen.autoencoders.codec import WeightCodec
from zoogen.autoencoders.config import AutoencoderConfig, Conv1dAutoencoderConfig, PDiffAutoencoderConfig
from zoogen.autoencoders.convolutional import kl_from_standard_normal
from zoogen.autoencoders.pdiff import PDiffAutoencoder
from zoogen.autoencoders.train import train_codec
from zoogen.seeds import seeded_generator
from zoogen.training.config import AdamWConfig, LoopConfig, ScheduleConfig
from zoogen.training.hooks import LocalHooks

LOOP = LoopConfig(
    iterations=400, batch_size=16, optimiser=AdamWConfig(lr=5e-3), schedule=ScheduleConfig(kind="cosine", warmup=20)
)
SMALL = PDiffAutoencoderConfig(latent=16, channels=(8, 16, 16), loop=LOOP)
PLAIN = Conv1dAutoencoderConfig(latent=16, channels=(4, 8), kernel=3, stride=2, loop=LOOP)
TRAIN = [checkpoint_set(5), checkpoint_set(8)]


def short(config: AutoencoderConfig, **changes: object) -> AutoencoderConfig:
    return config.model_copy(
        update={"loop": LOOP.model_copy(update={"iterations": 60, "checkpoint_every": 25}), **changes}
    )


def test_the_layers_of_the_public_code() -> None:
    config = PDiffAutoencoderConfig()
    length = padded_length(config, [target(513)])
    assert length == 2112  # 2052 to a multiple of 64
    model = build_autoencoder(config, {"length": length})
    assert isinstance(model, PDiffAutoencoder)
    convolutions = [layer for layer in model.encoder if isinstance(layer, nn.Conv1d)]
    assert [(c.in_channels, c.out_channels) for c in convolutions] == [
        (1, 64), (64, 128), (128, 256), (256, 256), (256, 32),
    ]  # fmt: skip
    assert {(c.kernel_size, c.stride, c.padding) for c in convolutions} == {((7,), (2,), (3,))}
    assert sum(isinstance(layer, nn.BatchNorm1d) for layer in model.encoder) == 5
    assert model.to_latent.in_features == 32 * 2112 // 32
    back = [layer for layer in model.decoder if isinstance(layer, nn.ConvTranspose1d)]
    assert [c.out_channels for c in back] == [256, 256, 128, 64, 1]
    latents = model.encode_vectors(torch.randn(3, length))
    assert latents.shape == (3, 128)
    assert model.decode_vectors(latents).shape == (3, length)
    loop = config.loop
    assert (loop.iterations, loop.batch_size, loop.optimiser.lr, loop.optimiser.weight_decay) == (500, 50, 2e-5, 0)
    assert (config.input_noise, config.latent_noise, loop.schedule.kind) == (0.001, 0.1, "cosine")


def test_it_trains_and_networks_do_not_depend_on_their_company() -> None:
    codec = train_codec(SMALL, TRAIN, seed=0)
    assert codec.figures["train/W8/error"] < 0.2
    alone = codec.encode(TRAIN[0].target, TRAIN[0].weights[:1])
    torch.testing.assert_close(alone, codec.encode(TRAIN[0].target, TRAIN[0].weights)[:1], atol=1e-4, rtol=1e-4)


def test_looking_at_a_codec_in_training_leaves_the_training_as_it_is() -> None:
    codec = train_codec(short(SMALL), TRAIN, seed=0)
    codec.autoencoder.train()
    before = {name: tensor.clone() for name, tensor in codec.autoencoder.state_dict().items()}
    codec.decode(TRAIN[0].target, codec.encode(TRAIN[0].target, TRAIN[0].weights))
    assert codec.autoencoder.training
    assert all(torch.equal(before[name], tensor) for name, tensor in codec.autoencoder.state_dict().items())


@pytest.mark.parametrize(
    "config", [SMALL, SMALL.model_copy(update={"kl": 1e-3}), PLAIN.model_copy(update={"kl": 1e-3})]
)
def test_resumed_training_and_bytes_give_the_same_bits(config: AutoencoderConfig) -> None:
    states: list[bytes] = []
    hooks = LocalHooks(checkpoint=lambda state, step, figures: states.append(state))
    whole = train_codec(short(config), TRAIN, seed=3, hooks=hooks)
    resumed = train_codec(short(config), TRAIN, seed=3, hooks=LocalHooks(initial_state=states[0]))
    read = WeightCodec.from_bytes(whole.to_bytes())
    assert read.config == whole.config
    for other in (resumed, read):
        state = other.autoencoder.state_dict()
        assert all(torch.equal(state[name], tensor) for name, tensor in whole.autoencoder.state_dict().items())
        assert torch.equal(other.latent_mean, whole.latent_mean)


def test_noised_target_compares_with_the_noised_input() -> None:
    """A decoder that says nothing has the variance of its target as its error."""
    losses = []
    for target_ in ("clean", "noised"):
        model = build_autoencoder(SMALL.model_copy(update={"target": target_, "input_noise": 0.5}), {"length": 64})
        model.decode_vectors = lambda latents: torch.zeros(len(latents), 64)  # type: ignore[method-assign]
        loss = model.vector_loss(torch.ones(2000, 64), None, torch.Generator().manual_seed(0))
        losses.append(loss.error.item())
    assert losses == pytest.approx([1.0, 1.25], rel=0.01)


def test_divergence_is_that_of_torch() -> None:
    mean, log_variance = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0)).unbind(0)
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(-1)
    torch.testing.assert_close(kl_from_standard_normal(mean, log_variance), expected)


@pytest.mark.parametrize("config", [SMALL, PLAIN])
def test_variational_loss_is_error_and_weighted_divergence(config: AutoencoderConfig) -> None:
    model = build_autoencoder(config.model_copy(update={"kl": 0.25}), {"length": 64})
    weights = torch.randn(4, 64, generator=torch.Generator().manual_seed(1))
    loss = model.loss(WeightBatch.of(target(16), weights), torch.Generator().manual_seed(0))
    assert loss.value.item() == pytest.approx((loss.figures["error"] + 0.25 * loss.figures["kl"]).item(), rel=1e-6)
    assert loss.figures["kl"] > 0
    assert torch.equal(model.eval().encode_vectors(weights), model.posterior(weights)[0])
    assert "kl" not in config.model_dump()  # digests of plain ones stay as they were


def test_prior_is_normal_in_the_latents_of_a_variational_codec_and_in_standardised_ones_of_others() -> None:
    noise = torch.randn(5, 16, generator=seeded_generator(7))
    where = TRAIN[0].target
    plain = train_codec(short(PLAIN), TRAIN, seed=0)
    assert torch.equal(plain.sample_prior(where, 5, seed=7), plain.decode(where, noise))
    codec = train_codec(short(PLAIN, kl=1e-3), TRAIN, seed=0)
    raw = codec.autoencoder.decode_vectors(noise)[:, : where.layout.size]
    torch.testing.assert_close(codec.sample_prior(where, 5, seed=7), codec.scaler.unscale(where.layout, raw))


def test_a_strong_divergence_makes_the_posterior_the_prior() -> None:
    codec = train_codec(PLAIN.model_copy(update={"kl": 100.0}), TRAIN, seed=0)
    vectors = codec.autoencoder.vectors(codec.batch(TRAIN[0].target, TRAIN[0].weights))
    mean, log_variance = codec.autoencoder.posterior(vectors)
    assert mean.abs().max() < 0.1
    assert log_variance.abs().max() < 0.2
    assert codec.history[-1]["kl"] < 0.05 < codec.history[0]["kl"]


def test_fewer_checkpoints_than_a_batch_are_noticed() -> None:
    few = [checkpoint_set(5, runs=2, checkpoints=5)]
    assert train_codec(short(PLAIN), few, seed=0).notices == ("10 checkpoints, batches of 16 repeat them",)
    assert not train_codec(short(PLAIN), TRAIN, seed=0).notices
