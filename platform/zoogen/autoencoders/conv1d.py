"""The Conv1d autoencoder of GenFlowNet (§2.2, §3.1)."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

from torch import Tensor, nn

from zoogen.autoencoders.convolutional import ConvolutionalAutoencoder
from zoogen.errors import ZoogenError


class Conv1dAutoencoder(ConvolutionalAutoencoder):
    """Strided convolutions down to a short signal, a linear map to the latent vector, and the mirror image.

    The paper gives four layers and 256 latent numbers, and leaves kernels, strides, channels and the step between
    signal and vector open. Weights of a policy have no translation symmetry (an initial weight is noise that differs
    per position), so the linear map carries what belongs to a position, and no layer should hold fewer numbers than
    the padded vector: channels[i] >= stride ** (i + 1).

    Args:
        length: padded length P, a multiple of stride ** layers.
        latent: latent length L.
        channels: output channels of the encoder's layers.
        kernel: odd kernel width.
        stride: stride of every layer.
        shortcut: add to every convolution its input, rearranged (see `Down` and `Up`).
        input_noise: see `WeightAutoencoder`.
        latent_noise: see `WeightAutoencoder`.
        kl: see `ConvolutionalAutoencoder`.
        real_only: see `FlatAutoencoder`.
    """

    def __init__(
        self,
        length: int,
        latent: int,
        channels: Sequence[int],
        kernel: int,
        stride: int,
        shortcut: bool,
        input_noise: float,
        latent_noise: float,
        kl: float | None = None,
        real_only: bool = False,
    ):
        factor, widths = stride ** len(channels), [1, *channels]
        if length % factor:
            raise ZoogenError(f"padded length {length} is no multiple of stride ** layers = {factor}; round it up")

        def stack(layer: type[Down] | type[Up], channels: Sequence[int]) -> nn.Module:
            return nn.Sequential(*(layer(a, b, kernel, stride, shortcut) for a, b in pairwise(channels)))

        super().__init__(
            length,
            latent,
            input_noise,
            latent_noise,
            inner=(channels[-1], length // factor),
            encoder=partial(stack, Down, widths),
            decoder=partial(stack, Up, widths[::-1]),
            kl=kl,
            real_only=real_only,
        )


class Down(nn.Module):
    """[B, A, W] to [B, C, W / stride]: LeakyReLU of a strided convolution.

    With the shortcut, positions are folded into channels and added, as in the deep compression autoencoder (Chen et
    al. 2024): the layer then begins as a rearrangement that loses nothing, which a plain strided stack must learn.
    """

    def __init__(self, before: int, after: int, kernel: int, stride: int, shortcut: bool):
        super().__init__()
        self.conv = nn.Conv1d(before, after, kernel, stride, kernel // 2)
        self.act = nn.LeakyReLU()
        self.after, self.stride, self.shortcut = after, stride, shortcut

    def forward(self, features: Tensor) -> Tensor:
        out = self.act(self.conv(features))
        if not self.shortcut:
            return out
        batch, channels, width = features.shape
        folded = features.view(batch, channels, width // self.stride, self.stride).transpose(2, 3)
        return out + _with_channels(folded.reshape(batch, channels * self.stride, -1), self.after)


class Up(nn.Module):
    """[B, A, W] to [B, C, W * stride]: a transposed convolution of the LeakyReLU, with the reverse shortcut."""

    def __init__(self, before: int, after: int, kernel: int, stride: int, shortcut: bool):
        super().__init__()
        self.conv = nn.ConvTranspose1d(before, after, kernel, stride, kernel // 2, stride - 1)
        self.act = nn.LeakyReLU()
        self.after, self.stride, self.shortcut = after, stride, shortcut

    def forward(self, features: Tensor) -> Tensor:
        out = self.conv(self.act(features))
        if not self.shortcut:
            return out
        folded = _with_channels(features, self.after * self.stride)
        return out + folded.unflatten(1, (self.after, self.stride)).transpose(2, 3).flatten(2)


def _with_channels(features: Tensor, channels: int) -> Tensor:
    """[B, A, W] to [B, channels, W]: repeat channels, or average groups of them; one count divides the other."""
    before = features.shape[1]
    if channels >= before:
        return features.repeat_interleave(channels // before, dim=1)
    return features.unflatten(1, (channels, before // channels)).mean(2)
