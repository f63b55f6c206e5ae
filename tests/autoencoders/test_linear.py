"""Principal components as an autoencoder, beside scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from tests.clusters import checkpoint_set

from zoogen.autoencoders import linear, scaled_checkpoints
from zoogen.autoencoders.codec import WeightCodec
from zoogen.autoencoders.config import LinearAutoencoderConfig
from zoogen.autoencoders.train import train_codec
from zoogen.training.hooks import LocalHooks

FEW = checkpoint_set(20, runs=5, checkpoints=4)  # 20 rows of 80 coordinates
MANY = checkpoint_set(5, runs=10, checkpoints=6)  # 60 rows of 20 coordinates


@pytest.fixture(params=[True, False], ids=["kept", "scaled when asked for"])
def _kept(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with rows that are too many to keep, and in blocks of few columns."""
    if not request.param:
        monkeypatch.setattr(scaled_checkpoints, "_KEPT", 0)
        monkeypatch.setattr(linear, "_BLOCK", 7 * 20)


@pytest.mark.usefixtures("_kept")
@pytest.mark.parametrize("checkpoints", [FEW, MANY], ids=["Gram matrix", "covariance"])
def test_scores_and_planes_are_those_of_scikit_learn(checkpoints) -> None:
    codec = train_codec(LinearAutoencoderConfig(latent=6), [checkpoints], seed=0)
    scaled = codec.autoencoder.vectors(codec.batch(checkpoints.target, checkpoints.weights))
    reference = PCA(6, svd_solver="full").fit(scaled.double().numpy())
    scores = codec.autoencoder.encode_vectors(scaled)
    expected = reference.transform(scaled.double().numpy())
    np.testing.assert_allclose(np.abs(scores.numpy()), np.abs(expected), atol=1e-4)
    again = reference.inverse_transform(expected)
    np.testing.assert_allclose(codec.autoencoder.decode_vectors(scores).numpy(), again, atol=1e-4)
    (entry,) = codec.history
    assert entry["loss"] == pytest.approx(((scaled.numpy() - again) ** 2).mean(), rel=1e-4)
    assert entry["explained"] == pytest.approx(reference.explained_variance_ratio_.sum(), rel=1e-5)


def test_as_many_components_as_rows_vary_in_reproduce_them_and_the_rest_are_zero() -> None:
    codec = train_codec(LinearAutoencoderConfig(latent=64), [FEW], seed=0)
    latents = codec.encode(FEW.target, FEW.weights)
    assert latents.shape == (20, 64)
    assert torch.equal(latents[:, 19:], torch.zeros(20, 45))
    torch.testing.assert_close(latents[:, :19].std(0, correction=0), torch.ones(19), atol=1e-3, rtol=0)
    torch.testing.assert_close(codec.decode(FEW.target, latents), FEW.weights, atol=1e-4, rtol=0)
    # What a generator says in latent numbers that never vary changes nothing to speak of.
    disturbed = latents + torch.cat([torch.zeros(20, 19), torch.ones(20, 45)], 1)
    torch.testing.assert_close(codec.decode(FEW.target, disturbed), FEW.weights, atol=1e-4, rtol=0)
    assert codec.notices == ("20 checkpoints vary in at most 19 directions; the latent numbers beyond them are zero",)
    assert not train_codec(LinearAutoencoderConfig(latent=6), [FEW], seed=0).notices


def test_structures_of_several_lengths_share_one_plane() -> None:
    sets = [FEW, MANY]
    codec = train_codec(LinearAutoencoderConfig(latent=79), sets, seed=0)
    for checkpoints in sets:
        again = codec.decode(checkpoints.target, codec.encode(checkpoints.target, checkpoints.weights))
        torch.testing.assert_close(again, checkpoints.weights, atol=1e-3, rtol=0)


def test_checkpoints_that_never_vary_are_one_point() -> None:
    constant = checkpoint_set(5, spread=0.0)
    codec = train_codec(LinearAutoencoderConfig(latent=4), [constant], seed=0)
    assert codec.history[0]["components"] == 0
    again = codec.decode(constant.target, torch.randn(3, 4, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(again, constant.weights[:3], atol=1e-5, rtol=0)


def test_same_bits_again_and_through_bytes() -> None:
    logged: list[int] = []
    codec = train_codec(
        LinearAutoencoderConfig(latent=6),
        [FEW],
        seed=0,
        hooks=LocalHooks(log=lambda step, total, figures: logged.append(total)),
    )
    assert logged == [1]
    again = train_codec(LinearAutoencoderConfig(latent=6), [FEW], seed=1)
    assert torch.equal(again.autoencoder.components, codec.autoencoder.components)
    read = WeightCodec.from_bytes(codec.to_bytes())
    assert read.config == codec.config
    latents = codec.encode(FEW.target, FEW.weights)
    assert torch.equal(read.decode(FEW.target, latents), codec.decode(FEW.target, latents))
