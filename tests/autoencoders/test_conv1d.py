"""The Conv1d autoencoder: shapes, shortcuts, noise in its loss."""

import pytest
import torch
from tests.clusters import target

from zoogen.autoencoders.build import build_autoencoder, padded_length
from zoogen.autoencoders.config import Conv1dAutoencoderConfig
from zoogen.autoencoders.conv1d import Down, Up
from zoogen.autoencoders.flat import FlatAutoencoder
from zoogen.errors import ZoogenError


@pytest.mark.parametrize("shortcut", [True, False])
@pytest.mark.parametrize(("channels", "kernel", "stride"), [((8, 32, 128, 512), 5, 4), ((2, 4), 3, 2), ((6,), 7, 3)])
def test_shapes(channels: tuple[int, ...], kernel: int, stride: int, shortcut: bool) -> None:
    config = Conv1dAutoencoderConfig(
        latent=10, channels=channels, kernel=kernel, stride=stride, shortcut=shortcut, length=40
    )
    length = padded_length(config, [target(5)])
    assert length >= 40
    assert length % stride ** len(channels) == 0
    autoencoder = build_autoencoder(config, {"length": length})
    latents = autoencoder.encode_vectors(torch.randn(3, length))
    assert latents.shape == (3, 10)
    assert autoencoder.decode_vectors(latents).shape == (3, length)


def test_shortcuts_alone_fold_and_unfold_without_loss() -> None:
    down, up = Down(2, 8, 5, 4, shortcut=True), Up(8, 2, 5, 4, shortcut=True)
    for module in (down, up):
        torch.nn.init.zeros_(module.conv.weight)
        torch.nn.init.zeros_(module.conv.bias)
    signal = torch.randn(3, 2, 16)
    folded = down(signal)
    assert folded.shape == (3, 8, 4)
    assert torch.equal(folded[0, 1], signal[0, 0, 1::4])
    torch.testing.assert_close(up(folded), signal)


class Identity(FlatAutoencoder):
    def encode_vectors(self, vectors: torch.Tensor) -> torch.Tensor:
        return vectors

    def decode_vectors(self, latents: torch.Tensor) -> torch.Tensor:
        return latents


def test_loss_compares_noised_input_and_latents_with_clean_weights() -> None:
    """With identity maps the expected loss is the sum of the two noise variances."""
    autoencoder = Identity(50, 50, input_noise=0.3, latent_noise=0.4)
    loss = autoencoder.vector_loss(torch.randn(4000, 50), None, torch.Generator().manual_seed(0))
    assert loss.error.item() == pytest.approx(0.09 + 0.16, rel=0.02)


def test_mask_leaves_padding_out() -> None:
    autoencoder = Identity(4, 4, input_noise=0.0, latent_noise=0.0)
    autoencoder.decode_vectors = lambda latents: latents + torch.tensor([1.0, 1.0, 3.0, 3.0])  # type: ignore[method-assign]
    weights, mask = torch.zeros(2, 4), torch.tensor([[1.0, 1, 0, 0], [1, 1, 1, 0]])
    generator = torch.Generator()
    assert autoencoder.vector_loss(weights, None, generator).error.item() == pytest.approx((1 + 1 + 9 + 9) / 4)
    assert autoencoder.vector_loss(weights, mask, generator).error.item() == pytest.approx((2 + 2 + 9) / 5)


def test_padded_length_takes_the_longest_or_says_what_is_too_long() -> None:
    config = Conv1dAutoencoderConfig(channels=(2, 4), kernel=3, stride=2)
    assert padded_length(config, [target(5), target(8)]) == 32
    assert padded_length(config, [target(5), target(9)]) == 36
    with pytest.raises(ZoogenError, match="W9 has 36 weights, the autoencoder's length is 30"):
        padded_length(config.model_copy(update={"length": 30}), [target(5), target(9)])
    with pytest.raises(ZoogenError, match="no structures"):
        padded_length(config, [])


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="must be odd"):
        Conv1dAutoencoderConfig(kernel=4)
    with pytest.raises(ValueError, match="at least the stride"):
        Conv1dAutoencoderConfig(kernel=3, stride=4)
    with pytest.raises(ValueError, match="must divide the other"):
        Conv1dAutoencoderConfig(channels=(8, 30))
    with pytest.raises(ZoogenError, match="no multiple"):
        build_autoencoder(Conv1dAutoencoderConfig(), {"length": 3301})
