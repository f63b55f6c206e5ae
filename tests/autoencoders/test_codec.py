"""Codecs: training, padding, standardised latents, bytes."""

import pytest
import torch
from tests.clusters import checkpoint_set, target

from zoogen.autoencoders.codec import WeightCodec
from zoogen.autoencoders.config import Conv1dAutoencoderConfig, LinearAutoencoderConfig
from zoogen.autoencoders.train import train_codec
from zoogen.errors import ZoogenError
from zoogen.training.config import AdamWConfig, LoopConfig, ScheduleConfig
from zoogen.training.hooks import LocalHooks

CONFIG = Conv1dAutoencoderConfig(
    latent=16,
    channels=(4, 8),
    kernel=3,
    stride=2,
    loop=LoopConfig(
        iterations=400,
        batch_size=16,
        optimiser=AdamWConfig(lr=5e-3),
        schedule=ScheduleConfig(kind="cosine", warmup=20),
    ),
)
TRAIN = [checkpoint_set(5), checkpoint_set(8)]
VALIDATION = [checkpoint_set(5, seed=1), checkpoint_set(8, seed=1)]


@pytest.fixture(scope="module")
def codec() -> WeightCodec:
    return train_codec(CONFIG, TRAIN, VALIDATION, seed=0, targets=[target(9)], digest="abc")


def test_training_checkpoints_are_reproduced(codec: WeightCodec) -> None:
    for checkpoints in TRAIN:
        again = codec.decode(checkpoints.target, codec.encode(checkpoints.target, checkpoints.weights))
        assert again.shape == checkpoints.weights.shape
        error = (again - checkpoints.weights).square().mean().sqrt()
        assert error < 0.12  # of weights with unit scale; unseen runs lie 0.3 apart
        figure = codec.figures[f"train/{checkpoints.target.label}/error"]
        assert figure == pytest.approx((error / checkpoints.weights.std(correction=0)).item(), rel=1e-3)


def test_validation_error_is_reported_and_is_that_of_unseen_runs(codec: WeightCodec) -> None:
    assert codec.figures["validation/W5/error"] > 2 * codec.figures["train/W5/error"]


def test_latents_are_standardised_over_the_training_checkpoints(codec: WeightCodec) -> None:
    latents = torch.cat([codec.encode(s.target, s.weights) for s in TRAIN])
    assert latents.shape == (24, 16)
    torch.testing.assert_close(latents.mean(0), torch.zeros(16), atol=1e-4, rtol=0)
    torch.testing.assert_close(latents.std(0, correction=0), torch.ones(16), atol=1e-4, rtol=0)


def test_padding_is_zero_at_the_end_of_the_scaled_weights(codec: WeightCodec) -> None:
    weights = TRAIN[0].weights
    padded = codec.autoencoder.vectors(codec.batch(TRAIN[0].target, weights))
    size = TRAIN[0].target.layout.size
    assert padded.shape == (len(weights), codec.row_length(TRAIN[0].target)) == (12, 36)
    assert torch.equal(padded[:, size:], torch.zeros(12, 36 - size))
    torch.testing.assert_close(codec.scaler.unscale(TRAIN[0].target.layout, padded[:, :size]), weights)


def test_scaler_and_latent_statistics_do_not_see_validation(codec: WeightCodec) -> None:
    alone = train_codec(CONFIG, TRAIN, (), seed=0, targets=[target(9)])
    assert alone.scaler == codec.scaler
    assert torch.equal(alone.latent_mean, codec.latent_mean)


def test_longer_structures_fit_if_announced_and_fail_clearly_if_not(codec: WeightCodec) -> None:
    assert codec.decode(target(9), torch.zeros(2, 16)).shape == (2, 36)
    with pytest.raises(ZoogenError, match=r"W10 has 40 weights.*at most 36.*>= 40"):
        codec.decode(target(10), torch.zeros(2, 16))
    with pytest.raises(ZoogenError, match="W10"):
        codec.encode(target(10), torch.zeros(2, 40))


def test_bytes_round_trip(codec: WeightCodec) -> None:
    again = WeightCodec.from_bytes(codec.to_bytes())
    latents = torch.randn(3, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again.decode(TRAIN[1].target, latents), codec.decode(TRAIN[1].target, latents))
    assert (again.config, again.scaler, again.digest) == (codec.config, codec.scaler, "abc")
    assert dict(again.figures) == dict(codec.figures)
    assert again.to_bytes() == codec.to_bytes()
    with pytest.raises(ZoogenError, match="the autoencoder is damaged"):
        WeightCodec.from_bytes(codec.to_bytes()[:100])


def test_coordinate_scaling_is_kept_in_the_tensors() -> None:
    config = LinearAutoencoderConfig(latent=20, scaling="coordinate")
    codec = train_codec(config, TRAIN, seed=0)
    again = WeightCodec.from_bytes(codec.to_bytes())
    assert again.scaler == codec.scaler
    for checkpoints in TRAIN:
        where, weights = checkpoints.target, checkpoints.weights
        torch.testing.assert_close(again.decode(where, again.encode(where, weights)), weights, atol=0.01, rtol=0)
    scaled = codec.batch(TRAIN[0].target, TRAIN[0].weights).weights
    assert scaled.std(0, correction=0).tolist() == pytest.approx([1.0] * 20, abs=1e-4)
    with pytest.raises(ZoogenError, match="no scaling statistics for the coordinates"):
        codec.decode(target(4), torch.zeros(1, 20))


def test_same_seed_same_codec_also_when_resumed() -> None:
    states: list[bytes] = []
    config = CONFIG.model_copy(
        update={"loop": CONFIG.loop.model_copy(update={"iterations": 60, "checkpoint_every": 25})}
    )
    whole = train_codec(
        config, TRAIN, seed=3, hooks=LocalHooks(checkpoint=lambda state, step, figures: states.append(state))
    )
    resumed = train_codec(config, TRAIN, seed=3, hooks=LocalHooks(initial_state=states[0]))
    other = train_codec(config, TRAIN, seed=4)
    latents = torch.ones(1, 16)
    assert torch.equal(whole.decode(TRAIN[0].target, latents), resumed.decode(TRAIN[0].target, latents))
    assert not torch.equal(whole.decode(TRAIN[0].target, latents), other.decode(TRAIN[0].target, latents))


def test_loss_over_real_coordinates_trains_too() -> None:
    codec = train_codec(CONFIG.model_copy(update={"loss_over": "real"}), TRAIN, seed=0, targets=[target(20)])
    assert codec.figures["train/W8/error"] < 0.1


def test_no_checkpoints_is_one_line() -> None:
    with pytest.raises(ZoogenError, match="no training checkpoints"):
        train_codec(CONFIG, [], seed=0)
