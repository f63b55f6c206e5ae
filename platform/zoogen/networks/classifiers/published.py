"""ResNets, vision transformers and ConvNeXts from `transformers`, built offline from their configurations.

Parts are theirs, put in sequence so that a network returns logits as a plain tensor, nothing happens in place, and
everything can be batched over parameters (`torch.func.vmap`). Published weights come from the hub or its local cache.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from zoogen.errors import UnavailableError, ZoogenError
from zoogen.networks.classifiers.groups import (
    head_groups,
    numbered,
    residual_groups,
    transformer_groups,
)
from zoogen.networks.classifiers.hub import offline_unless_reachable
from zoogen.networks.classifiers.small import too_small
from zoogen.networks.classifiers.spec import Build, Groups
from zoogen.weights.layout import ParameterLayout
from zoogen.weights.symmetry import UnitGroup

# Hub repositories with safetensors: https://huggingface.co/<name>
HUB = {
    "resnet18": "microsoft/resnet-18",
    "resnet50": "microsoft/resnet-50",
    "vit-tiny": "WinKawaks/vit-tiny-patch16-224",
    "vit-base": "google/vit-base-patch16-224",
    "convnext-tiny": "facebook/convnext-tiny-224",
    "convnext-base": "facebook/convnext-base-224",
}
_PUBLISHED_EDGE = 224  # pixels
_LARGE_EDGE = 112  # pixels from which the published patches of 16 make sense


class Residual(nn.Module):
    """activation(body(x) + shortcut(x)), [B, C, H, W] to [B, C', H', W'].

    The block of transformers adds in place, which fails where only one of the two is batched.
    """

    def __init__(self, body: nn.Module, shortcut: nn.Module, activation: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut, self.activation = body, shortcut, activation

    def forward(self, inputs: Tensor) -> Tensor:
        return self.activation(self.body(inputs) + self.shortcut(inputs))


class MeanPixel(nn.Module):
    """Feature maps [B, C, H, W] to their means, [B, C]; torch's pooling is slow when batched over parameters."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.mean((2, 3))


class FirstToken(nn.Module):
    """Tokens [B, T, W] to the first one, [B, W]."""

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens[:, 0]


def resnet(depths: tuple[int, ...], widths: tuple[int, ...], *, stem: int = 64, bottleneck: bool = False) -> Build:
    """Build function of a ResNet (He et al. 2016); `widths` are the channels of the stages' outputs."""

    def build(channels: int, size: int, classes: int) -> nn.Module:
        return _resnet_parts(their_resnet(depths, widths, channels, classes, stem=stem, bottleneck=bottleneck))

    return build


def their_resnet(
    depths: Sequence[int],
    widths: Sequence[int],
    channels: int,
    classes: int,
    *,
    stem: int = 64,
    bottleneck: bool = False,
) -> Any:
    """An untrained ResNet of transformers; arguments as of `resnet`, `stem` being the channels of its first layer."""
    config = _theirs("ResNetConfig")(
        num_channels=channels,
        embedding_size=stem,
        hidden_sizes=list(widths),
        depths=list(depths),
        layer_type="bottleneck" if bottleneck else "basic",
        num_labels=classes,
    )
    return _theirs("ResNetForImageClassification")(config)


def vit(width: int, layers: int, heads: int) -> Build:
    """Build function of a vision transformer (Dosovitskiy et al. 2021) with patches of 16 pixels for images from 112
    pixels on, a quarter of the edge for smaller ones."""

    def build(channels: int, size: int, classes: int) -> nn.Module:
        if size < 4:
            raise too_small("a vision transformer", size)
        patch = 16 if size >= _LARGE_EDGE else size // 4
        return _vit_parts(their_vit(width, layers, heads, channels, size, classes, patch=patch))

    return build


def their_vit(width: int, layers: int, heads: int, channels: int, size: int, classes: int, *, patch: int) -> Any:
    """An untrained vision transformer of transformers; arguments as of `vit`, `patch` being an edge in pixels."""
    config = _theirs("ViTConfig")(
        num_channels=channels,
        image_size=size,
        patch_size=patch,
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_labels=classes,
    )
    return _theirs("ViTForImageClassification")(config)


def convnext(depths: tuple[int, ...], widths: tuple[int, ...], name: str) -> Build:
    """Build function of a ConvNeXt (Liu et al. 2022). Its edge is divided by 32, so smaller images do not fit."""

    def build(channels: int, size: int, classes: int) -> nn.Module:
        if size < 32:
            raise too_small(name, size)
        config = _theirs("ConvNextConfig")(
            num_channels=channels, hidden_sizes=list(widths), depths=list(depths), num_labels=classes
        )
        return _convnext_parts(_theirs("ConvNextForImageClassification")(config))

    return build


def resnet_groups(layout: ParameterLayout) -> tuple[UnitGroup, ...]:
    """Of the ResNets: streams and inner channels, with BatchNorm's parameters and running statistics."""
    stem = ("stem.embedder.convolution", "stem.embedder.normalization")
    blocks = [
        block
        for stage in numbered(layout, r"stages\.(\d+)\..*", "stages.{}")
        for block in numbered(layout, stage.replace(".", r"\.") + r"\.(\d+)\..*", stage + ".{}")
    ]
    return residual_groups(layout, stem, blocks, "classifier")


def vit_groups(heads: int) -> Groups:
    """Groups function of a vision transformer: stream, hidden units, heads."""
    return lambda layout: (*transformer_groups(layout), *head_groups(layout, heads))


def pretrained_state(name: str, classes: int, size: int = _PUBLISHED_EDGE) -> Mapping[str, Tensor]:
    """Published weights of a classifier as its `state_dict`, from the hub or its local cache, safetensors only.

    The head is the published one for 1,000 classes; for other counts it is made anew, from torch's generator. Images
    are of 3 channels.

    Raises:
        ZoogenError: the network has no published weights, they do not fit images of this size, or they are neither on
            this machine nor reachable.
    """
    if name not in HUB:
        raise ZoogenError(f"{name} has no published weights; set pretrained to false, or take one of {', '.join(HUB)}")
    if name.startswith("vit") and size != _PUBLISHED_EDGE:
        raise ZoogenError(
            f"the published {name} takes images of {_PUBLISHED_EDGE} pixels, not {size}; "
            f"set task.data.size to {_PUBLISHED_EDGE}"
        )
    theirs, parts = _FAMILIES[name.partition("-")[0].rstrip("0123456789")]
    try:
        with offline_unless_reachable(HUB[name], "model"):
            found = _theirs(theirs).from_pretrained(
                HUB[name], num_labels=classes, ignore_mismatched_sizes=True, use_safetensors=True
            )
    except Exception as error:  # the hub's client raises many kinds
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise UnavailableError(
            f"the weights of {name} ({HUB[name]}) are neither in the local cache of the hub nor reachable ({reason}); "
            "download them there, or set pretrained to false"
        ) from error
    return {key: value.detach().float() for key, value in parts(found).state_dict().items()}


def _theirs(name: str) -> Any:
    """A class of transformers, imported when it is needed; its lazily made classes have no types."""
    import transformers

    made: Any = getattr(transformers, name)
    return made


def _sequence(**parts: nn.Module) -> nn.Module:
    return nn.Sequential(OrderedDict(parts))


def _resnet_parts(net: Any) -> nn.Module:
    stages = [
        nn.Sequential(*(Residual(block.layer, block.shortcut, block.activation) for block in stage.layers))
        for stage in net.resnet.encoder.stages
    ]
    _, linear = net.classifier  # after a flattening
    return _sequence(stem=net.resnet.embedder, stages=nn.Sequential(*stages), mean=MeanPixel(), classifier=linear)


def _vit_parts(net: Any) -> nn.Module:
    net.set_attn_implementation("eager")  # fused attention cannot be batched over parameters
    return _sequence(
        embeddings=net.vit.embeddings,
        layers=nn.Sequential(*net.vit.layers),
        layernorm=net.vit.layernorm,
        first=FirstToken(),
        classifier=net.classifier,
    )


def _convnext_parts(net: Any) -> nn.Module:
    return _sequence(
        embeddings=net.convnext.embeddings,
        stages=nn.Sequential(*net.convnext.encoder.stages),
        mean=MeanPixel(),
        layernorm=net.convnext.layernorm,
        classifier=net.classifier,
    )


_FAMILIES: Mapping[str, tuple[str, Any]] = {
    "resnet": ("ResNetForImageClassification", _resnet_parts),
    "vit": ("ViTForImageClassification", _vit_parts),
    "convnext": ("ConvNextForImageClassification", _convnext_parts),
}
