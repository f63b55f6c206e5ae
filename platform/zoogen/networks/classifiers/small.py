"""Small classifiers: the CNNs of model zoos (Schürholt et al. 2022) and the minis of p-diff, appendix A.2.

All are sequences of named parts. The papers leave details out: where those below say so, they were chosen such that
the counts of p-diff's Table 6 come out exactly for colour images of 10 classes; they are also what p-diff's public
code uses. Edges other than the native one change flattened widths and the elementwise normalisations.
"""

from collections import OrderedDict

from torch import Tensor, nn

from zoogen.errors import ZoogenError
from zoogen.networks.classifiers.groups import Read, chain, units
from zoogen.weights.layout import ParameterLayout
from zoogen.weights.symmetry import UnitGroup


def cnn_small(channels: int, size: int, classes: int) -> nn.Module:
    """Three convolutions and two linear layers; at 28 pixels and 10 classes 2,464 parameters for grey images and
    2,864 for colour, exactly Schürholt's counts. The activation is ours (LeakyReLU)."""
    parts: list[tuple[str, nn.Module]] = [
        ("conv1", nn.Conv2d(channels, 8, 5)),
        ("pool1", nn.MaxPool2d(2)),
        ("activation1", nn.LeakyReLU()),
        ("conv2", nn.Conv2d(8, 6, 5)),
        ("pool2", nn.MaxPool2d(2)),
        ("activation2", nn.LeakyReLU()),
        ("conv3", nn.Conv2d(6, 4, 2)),
        ("activation3", nn.LeakyReLU()),
    ]
    edge = _conv_edge("cnn-small", size, ((5, 2), (5, 2), (2, 1)))
    return _with_head(parts, 4 * edge**2, 20, classes)


def cnn_medium(channels: int, size: int, classes: int) -> nn.Module:
    """Three convolutions and two linear layers; at 32 pixels and 10 classes 10,565 parameters for grey images, exactly
    Schürholt's count, and 10,853 for colour. The activation is LeakyReLU, as in p-diff's public code."""
    parts: list[tuple[str, nn.Module]] = []
    before = channels
    for number, width in enumerate((16, 32, 15), start=1):
        parts.append((f"conv{number}", nn.Conv2d(before, width, 3)))
        parts.append((f"pool{number}", nn.MaxPool2d(2)))
        parts.append((f"activation{number}", nn.LeakyReLU()))
        before = width
    edge = _conv_edge("cnn-medium", size, ((3, 2), (3, 2), (3, 2)))
    return _with_head(parts, 15 * edge**2, 20, classes)


def convnet_mini(channels: int, size: int, classes: int) -> nn.Module:
    """p-diff's ConvNet-mini: 24,262 parameters (Table 6) at 64 pixels, where the first convolution has stride 2, and
    at 32 pixels, where it has stride 1.

    Not in the paper: normalisation over channels and positions after every convolution, LeakyReLU, pooling by 2.
    """
    edge, stride = _mini_edge("convnet-mini", size)
    parts: list[tuple[str, nn.Module]] = []
    widths = ((channels, 8, 7, stride), (8, 8, 3, 1), (8, 4, 3, 1))
    for number, (read, made, kernel, step) in enumerate(widths, start=1):
        parts.append((f"conv{number}", nn.Conv2d(read, made, kernel, step, kernel // 2)))
        parts.append((f"norm{number}", nn.LayerNorm([made, edge, edge])))
        parts.append((f"activation{number}", nn.LeakyReLU()))
        parts.append((f"pool{number}", nn.MaxPool2d(2)))
        edge //= 2
    return _with_head(parts, 4 * edge**2, 16, classes)


class GreyPixels(nn.Module):
    """Images [B, C, S, S] to the 1,024 grey values of 32 x 32 pixels, [B, 1024]."""

    def forward(self, images: Tensor) -> Tensor:
        grey = images.mean(1, keepdim=True)
        return nn.functional.adaptive_avg_pool2d(grey, 32).flatten(1)


def mlp_mini(channels: int, size: int, classes: int) -> nn.Module:
    """p-diff's MLP-mini on the mean of the channels at 32 x 32 pixels: 66,970 parameters (Table 6).

    Not in the paper: layer normalisation and LeakyReLU after either hidden layer; images of 64 pixels are halved.
    """
    parts: list[tuple[str, nn.Module]] = [
        ("pixels", GreyPixels()),
        ("linear1", nn.Linear(1024, 64)),
        ("norm1", nn.LayerNorm(64)),
        ("activation1", nn.LeakyReLU()),
        ("linear2", nn.Linear(64, 16)),
        ("norm2", nn.LayerNorm(16)),
        ("activation2", nn.LeakyReLU()),
        ("linear3", nn.Linear(16, classes)),
    ]
    return nn.Sequential(OrderedDict(parts))


class MiniResidual(nn.Module):
    """The residual block of ResNet-mini, [B, width, H, W] to the same: two convolutions, LeakyReLU after both."""

    def __init__(self, width: int, bottleneck: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, bottleneck, 3, padding=1)
        self.conv2 = nn.Conv2d(bottleneck, width, 3, padding=1)
        self.activation = nn.LeakyReLU()

    def forward(self, inputs: Tensor) -> Tensor:
        return self.activation(self.conv2(self.activation(self.conv1(inputs)))) + inputs


def resnet_mini(channels: int, size: int, classes: int) -> nn.Module:
    """p-diff's ResNet-mini: 25,138 parameters (Table 6) at 64 pixels, where the first convolution has stride 2, and
    at 32 pixels, where it has stride 1.

    Not in the paper: normalisation over channels and positions after the first convolution and either block,
    LeakyReLU, pooling by 2.
    """
    edge, stride = _mini_edge("resnet-mini", size)
    parts: list[tuple[str, nn.Module]] = [
        ("conv1", nn.Conv2d(channels, 8, 3, stride, 1)),
        ("activation1", nn.LeakyReLU()),
        ("norm1", nn.LayerNorm([8, edge, edge])),
        ("pool1", nn.MaxPool2d(2)),
    ]
    for number in (1, 2):
        edge //= 2
        parts.append((f"block{number}", MiniResidual(8, 4)))
        parts.append((f"norm{number + 1}", nn.LayerNorm([8, edge, edge])))
        parts.append((f"pool{number + 1}", nn.MaxPool2d(2)))
    return _with_head(parts, 8 * (edge // 2) ** 2, 16, classes)


def cnn_groups(layout: ParameterLayout) -> tuple[UnitGroup, ...]:
    """Of cnn-small, cnn-medium and convnet-mini."""
    layers = [(name, f"norm{name[-1]}") for name in ("conv1", "conv2", "conv3")]
    return chain(layout, [*layers, ("linear1",), ("linear2",)])


def mlp_groups(layout: ParameterLayout) -> tuple[UnitGroup, ...]:
    """Of mlp-mini."""
    return chain(layout, [("linear1", "norm1"), ("linear2", "norm2"), ("linear3",)])


def resnet_mini_groups(layout: ParameterLayout) -> tuple[UnitGroup, ...]:
    """Of resnet-mini: the stream, the bottlenecks, the hidden layer."""
    made = ["conv1", "norm1", "block1.conv2", "norm2", "block2.conv2", "norm3"]
    repeat = layout.shapes["linear1.weight"][1] // layout.shapes["conv1.weight"][0]
    read: list[Read] = ["block1.conv1", "block2.conv1", ("linear1", repeat)]
    bottlenecks = [units(block, layout, [f"{block}.conv1"], [f"{block}.conv2"]) for block in ("block1", "block2")]
    return (units("stream", layout, made, read), *bottlenecks, units("linear1", layout, ["linear1"], ["linear2"]))


def _with_head(parts: list[tuple[str, nn.Module]], width: int, hidden: int, classes: int) -> nn.Module:
    head: list[tuple[str, nn.Module]] = [
        ("flatten", nn.Flatten()),
        ("linear1", nn.Linear(width, hidden)),
        ("activation_head", nn.LeakyReLU()),
        ("linear2", nn.Linear(hidden, classes)),
    ]
    return nn.Sequential(OrderedDict([*parts, *head]))


def _conv_edge(name: str, size: int, layers: tuple[tuple[int, int], ...]) -> int:
    """Edge of the last feature map after unpadded convolutions, given as (kernel, pooling)."""
    edge = size
    for kernel, pooling in layers:
        edge = (edge - kernel + 1) // pooling
        if edge < 1:
            raise too_small(name, size)
    return edge


def _mini_edge(name: str, size: int) -> tuple[int, int]:
    """Edge of the first feature map, and the stride that leads to it: images of 64 pixels and more are halved."""
    if size < 8:
        raise too_small(name, size)
    stride = 2 if size >= 64 else 1
    return (size + stride - 1) // stride, stride


def too_small(name: str, size: int) -> ZoogenError:
    return ZoogenError(f"{name} cannot take images of {size} x {size} pixels; set task.data.size to a larger edge")
