"""Classifiers by name.

The networks of p-diff's Table 1 (ResNet, ViT, ConvNeXt) take images of 32 pixels by default, so that they can be tried
on small images; the paper's, and published weights, take `task.data.size: 224`. Those called narrow have a quarter of
the channels and are for machines without a GPU.
"""

import difflib
from typing import TYPE_CHECKING

from zoogen.errors import ZoogenError
from zoogen.networks.classifiers import published, small, vit_mini
from zoogen.networks.classifiers.groups import convnext_groups
from zoogen.networks.classifiers.spec import ClassifierSpec
from zoogen.shown import shown

if TYPE_CHECKING:
    from zoogen.networks.classifiers.own import OwnModule

OWN = "own"  # the network of one's own file, as in `own@digits`

# globs of the last two normalisation layers of a family, the parameters that p-diff generates by default (Table 6)
_LAST_OF_MINIS = ("norm2.*", "norm3.*")
_LAST_OF_RESNET18 = ("stages.3.1.body.0.normalization.*", "stages.3.1.body.1.normalization.*")
_LAST_OF_RESNET50 = ("stages.3.2.body.1.normalization.*", "stages.3.2.body.2.normalization.*")
_LAST_OF_VIT = ("layers.11.layernorm_after.*", "layernorm.*")
_LAST_OF_CONVNEXT = ("stages.3.layers.2.layernorm.*", "layernorm.*")


def _minis() -> tuple[ClassifierSpec, ...]:
    return (
        ClassifierSpec("cnn-small", "CNN-small", small.cnn_small, 28, groups=small.cnn_groups),
        ClassifierSpec("cnn-medium", "CNN-medium", small.cnn_medium, 32, groups=small.cnn_groups),
        ClassifierSpec("convnet-mini", "ConvNet-mini", small.convnet_mini, 64, None, _LAST_OF_MINIS, small.cnn_groups),
        ClassifierSpec("mlp-mini", "MLP-mini", small.mlp_mini, 32, None, ("norm1.*", "norm2.*"), small.mlp_groups),
        ClassifierSpec(
            "resnet-mini", "ResNet-mini", small.resnet_mini, 64, None, _LAST_OF_MINIS, small.resnet_mini_groups
        ),
        ClassifierSpec(
            "vit-mini",
            "ViT-mini",
            vit_mini.vit_mini,
            64,
            None,
            ("layers.3.layernorm_after.*", "layernorm.*"),
            published.vit_groups(vit_mini.HEADS),
        ),
        ClassifierSpec(
            "convnext-mini",
            "ConvNeXt-mini",
            published.convnext((1, 2, 2, 2), (16, 32, 32, 32), "convnext-mini"),
            64,
            None,
            ("stages.3.layers.1.layernorm.*", "layernorm.*"),
            convnext_groups,
        ),
    )


def _resnets() -> tuple[ClassifierSpec, ...]:
    resnet18, narrow = (2, 2, 2, 2), (16, 32, 64, 128)
    wide, bottlenecks = (64, 128, 256, 512), (256, 512, 1024, 2048)
    groups = published.resnet_groups
    return (
        ClassifierSpec("resnet18", "ResNet-18", published.resnet(resnet18, wide), 32, 3, _LAST_OF_RESNET18, groups),
        ClassifierSpec(
            "resnet50",
            "ResNet-50",
            published.resnet((3, 4, 6, 3), bottlenecks, bottleneck=True),
            32,
            3,
            _LAST_OF_RESNET50,
            groups,
        ),
        ClassifierSpec(
            "resnet18-narrow",
            "ResNet-18-narrow",
            published.resnet(resnet18, narrow, stem=16),
            32,
            None,
            _LAST_OF_RESNET18,
            groups,
        ),
    )


def _transformers() -> tuple[ClassifierSpec, ...]:
    made = []
    for name, title, width, heads, channels in (
        ("vit-tiny", "ViT-Tiny", 192, 3, 3),
        ("vit-base", "ViT-Base", 768, 12, 3),
        ("vit-tiny-narrow", "ViT-Tiny-narrow", 48, 3, None),
    ):
        build, groups = published.vit(width, 12, heads), published.vit_groups(heads)
        made.append(ClassifierSpec(name, title, build, 32, channels, _LAST_OF_VIT, groups))
    return tuple(made)


def _convnexts() -> tuple[ClassifierSpec, ...]:
    made = []
    for name, title, depths, widths in (
        ("convnext-tiny", "ConvNeXt-Tiny", (3, 3, 9, 3), (96, 192, 384, 768)),
        ("convnext-base", "ConvNeXt-Base", (3, 3, 27, 3), (128, 256, 512, 1024)),
    ):
        build = published.convnext(depths, widths, name)
        made.append(ClassifierSpec(name, title, build, 32, 3, _LAST_OF_CONVNEXT, convnext_groups))
    return tuple(made)


_SPECS = (*_minis(), *_resnets(), *_transformers(), *_convnexts())
_BY_NAME = {spec.name: spec for spec in _SPECS}


def classifier_names() -> tuple[str, ...]:
    """Names of the package's own classifiers."""
    return tuple(_BY_NAME)


def classifier(name: str, own: "OwnModule | None" = None) -> ClassifierSpec:
    """The classifier of that name; `own` is the network of one's own file.

    Raises:
        ZoogenError: no classifier is called so (the nearest names are given), or there is no file of one's own, or it
            holds no network.

    Example:
        >>> classifier("CNN-small").size
        28
    """
    known = name.strip().lower()
    if known == OWN:
        return _own(own)
    if known in _BY_NAME:
        return _BY_NAME[known]
    nearest = difflib.get_close_matches(known, (*_BY_NAME, OWN), n=3, cutoff=0.0)
    raise ZoogenError(f"there is no network {shown(name)}; the nearest are {', '.join(nearest)}")


def _own(own: "OwnModule | None") -> ClassifierSpec:
    if own is None:
        raise ZoogenError("the network own needs a file with a function network; set task.own to its path")
    if own.network is None:
        raise ZoogenError(f"{own.path} defines no network(channels, size, classes); add it, or name a network")
    return ClassifierSpec(OWN, own.title, own.network, own.size or 32, own.channels, source=own.source)
