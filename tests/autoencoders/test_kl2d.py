"""Weights as an image: sizes of the paper, chunks, the loss by hand, and what it learns."""

import pytest
import torch
from tests.clusters import checkpoint_set

from zoogen.autoencoders.build import build_autoencoder, padded_length
from zoogen.autoencoders.codec import WeightCodec
from zoogen.autoencoders.config import Kl2dAutoencoderConfig
from zoogen.autoencoders.kl2d import Kl2dAutoencoder
from zoogen.autoencoders.train import train_codec
from zoogen.config import parse_config
from zoogen.errors import ZoogenError
from zoogen.seeds import seeded, seeded_generator
from zoogen.training.config import AdamWConfig, LoopConfig, ScheduleConfig

LOOP = LoopConfig(
    iterations=300, batch_size=16, optimiser=AdamWConfig(lr=3e-3), schedule=ScheduleConfig(kind="cosine", warmup=20)
)
SMALL = Kl2dAutoencoderConfig(map=8, channels=4, multipliers=(1, 2), blocks=1, loop=LOOP)


def built(config: Kl2dAutoencoderConfig, length: int) -> Kl2dAutoencoder:
    with seeded(0):
        model = build_autoencoder(config, {"length": length})
    assert isinstance(model, Kl2dAutoencoder)
    return model


@pytest.mark.parametrize(
    ("sizes", "latent"),
    [({}, 64), ({"map": 64, "multipliers": (1, 1, 2, 2, 4)}, 64), ({"map": 64}, 256), ({"chunk": 50}, 3 * 64)],
)
def test_latents_have_the_size_of_the_paper(sizes: dict[str, int], latent: int) -> None:
    """4 × 4 × 4 of 64 × 64 images with five levels or of 32 × 32 with four, 4 × 8 × 8 of 64 × 64 with four."""
    model = built(Kl2dAutoencoderConfig(channels=2, blocks=1, **sizes), 150)  # type: ignore[arg-type]
    assert model.latent == latent and model.variational
    latents = model.encode_vectors(torch.randn(3, 150))
    assert latents.shape == (3, latent) and model.decode_vectors(latents).shape == (3, 150)


def test_chunks_pass_through_the_same_network_one_by_one() -> None:
    model, vectors = built(SMALL.model_copy(update={"chunk": 40}), 120), torch.randn(2, 120)
    alone = built(SMALL, 40)
    alone.load_state_dict(model.state_dict())
    parts = [alone.encode_vectors(vectors[:, at : at + 40]) for at in (0, 40, 80)]
    torch.testing.assert_close(model.encode_vectors(vectors), torch.cat(parts, 1))
    decoded = torch.cat([alone.decode_vectors(part) for part in parts], 1)
    torch.testing.assert_close(model.decode_vectors(torch.cat(parts, 1)), decoded)
    assert padded_length(SMALL.model_copy(update={"chunk": 40}), [checkpoint_set(5).target]) % 40 == 0
    with pytest.raises(ZoogenError, match="no multiple of the chunk"):
        built(SMALL.model_copy(update={"chunk": 40}), 121)


@pytest.mark.parametrize("loss", ["mse", "d2nwg"])
@pytest.mark.parametrize("masked", [False, True])
def test_the_loss_by_hand(loss: str, masked: bool) -> None:
    config = SMALL.model_copy(update={"loss": loss, "kl": 0.3, "input_noise": 0.0, "latent_noise": 0.2})
    model, vectors = built(config, 30), torch.randn(5, 30)
    mask = (torch.arange(30) < 20).float().expand(5, -1) if masked else None
    found = model.vector_loss(vectors, mask, seeded_generator(3))
    generator = seeded_generator(3)
    torch.randn(5, 30, generator=generator)  # that of the input, which has no size
    mean, log_variance = model.posterior(vectors)
    first, second = (torch.randn(mean.shape, generator=generator) for _ in range(2))
    wrong = model.decode_vectors(mean + log_variance.exp().sqrt() * first + 0.2 * second) - vectors
    wrong = wrong[:, :20] if masked else wrong
    expected = wrong.square().mean()
    if loss == "d2nwg":
        expected = 1000 * expected + wrong.abs().sum(1).mean()
    normal = torch.distributions.Normal(mean, log_variance.exp().sqrt())
    divergence = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0, 1)).sum(1).mean()
    torch.testing.assert_close(found.error, expected)
    torch.testing.assert_close(found.penalty, 0.3 * divergence)


def test_networks_are_reproduced_and_the_codec_keeps_its_bits() -> None:
    train = [checkpoint_set(5), checkpoint_set(8)]
    codec = train_codec(SMALL, train, seed=0)
    assert codec.history[-1]["error"] < 0.25 * codec.history[0]["error"]
    again, rows = WeightCodec.from_bytes(codec.to_bytes()), train[0]
    latents = codec.encode(rows.target, rows.weights)
    assert torch.equal(again.encode(rows.target, rows.weights), latents)
    decoded = codec.decode(rows.target, latents)
    spread = (rows.weights - rows.weights.mean(0)).square().mean()
    assert (decoded - rows.weights).square().mean() < 0.5 * spread


def test_levels_that_cannot_be_halved_are_one_line() -> None:
    with pytest.raises(ZoogenError, match="map 36 cannot be halved 3 times; use a power of 2"):
        parse_config(Kl2dAutoencoderConfig, {"map": 36}, "a.yaml")
