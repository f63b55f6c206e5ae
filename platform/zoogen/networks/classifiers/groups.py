"""Units of classifiers that may be renumbered, told by the names of the layers that make and read them."""

import re
from collections.abc import Sequence
from itertools import pairwise

from zoogen.weights.layout import ParameterLayout
from zoogen.weights.symmetry import Place, UnitGroup

Read = str | tuple[str, int]  # a layer, or a layer that reads `int` consecutive inputs of each unit (a feature map)

_PER_UNIT = ("weight", "bias", "running_mean", "running_var")


def made_by(layout: ParameterLayout, layer: str) -> tuple[Place, ...]:
    """Where the units that a layer puts out lie in it: rows of linear layers and convolutions (depthwise ones
    included), entries of normalisations with their running statistics where the layout holds them."""
    return tuple(Place(f"{layer}.{kind}", 0) for kind in _PER_UNIT if f"{layer}.{kind}" in layout.shapes)


def units(
    name: str, layout: ParameterLayout, made: Sequence[str], read: Sequence[Read], also: Sequence[Place] = ()
) -> UnitGroup:
    """One group.

    Args:
        name: for messages.
        layout: of all parameters of the network and, if wanted, of running statistics.
        made: layers with one row or one entry per unit (`made_by`); the first one's weight tells the number of units.
        read: layers with inputs from the units, along axis 1 of their weights.
        also: further places.
    """
    makers = [place for layer in made for place in made_by(layout, layer)]
    pairs = [layer if isinstance(layer, tuple) else (layer, 1) for layer in read]
    readers = [Place(f"{layer}.weight", 1, repeat) for layer, repeat in pairs]
    return UnitGroup(name, layout.shapes[f"{made[0]}.weight"][0], (*makers, *readers, *also))


def chain(layout: ParameterLayout, layers: Sequence[tuple[str, ...]]) -> tuple[UnitGroup, ...]:
    """Groups of a plain network: each layer with the normalisations after it, read by the next layer.

    A feature map that is flattened for the next layer stands there `repeat` times, as the shapes tell.
    """
    groups = []
    for made, (following, *_) in pairwise(layers):
        size, width = layout.shapes[f"{made[0]}.weight"][0], layout.shapes[f"{following}.weight"][1]
        groups.append(units(made[0], layout, made, [(following, width // size)]))
    return tuple(groups)


def residual_groups(
    layout: ParameterLayout, stem: tuple[str, ...], blocks: Sequence[str], head: str
) -> tuple[UnitGroup, ...]:
    """Groups of a residual network (He et al. 2016) whose blocks are named as in `published.Residual`.

    One group for every stream, that is for all that is added up from one projecting shortcut (or the stem) to the
    next, and one between any two convolutions within a block.
    """
    groups: list[UnitGroup] = []
    made, read = list(stem), list[Read]()
    for block in blocks:
        inner = numbered(layout, rf"{re.escape(block)}\.body\.(\d+)\.convolution\.weight", block + ".body.{}")
        read.append(f"{inner[0]}.convolution")
        shortcut = f"{block}.shortcut"
        if f"{shortcut}.convolution.weight" in layout.shapes:
            groups.append(units(f"stream before {block}", layout, made, [*read, f"{shortcut}.convolution"]))
            made, read = [f"{shortcut}.convolution", f"{shortcut}.normalization"], []
        for first, second in pairwise(inner):
            rows = (f"{first}.convolution", f"{first}.normalization")
            groups.append(units(first, layout, rows, [f"{second}.convolution"]))
        made += [f"{inner[-1]}.convolution", f"{inner[-1]}.normalization"]
    width = layout.shapes[f"{head}.weight"][1] // layout.shapes[f"{made[0]}.weight"][0]
    groups.append(units(f"stream before {head}", layout, made, [*read, (head, width)]))
    return tuple(groups)


def convnext_groups(layout: ParameterLayout) -> tuple[UnitGroup, ...]:
    """Groups of a ConvNeXt as transformers names it: one stream per stage, and the hidden units of every block."""
    groups: list[UnitGroup] = []
    made = ["embeddings.patch_embeddings", "embeddings.layernorm"]
    for stage in numbered(layout, r"stages\.(\d+)\..*", "stages.{}"):
        down, read, also = f"{stage}.downsampling_layer", list[Read](), list[Place]()
        if f"{down}.1.weight" in layout.shapes:
            made = [f"{down}.1"]
        for block in numbered(layout, rf"{re.escape(stage)}\.layers\.(\d+)\..*", stage + ".layers.{}"):
            groups.append(units(f"{block} hidden", layout, [f"{block}.pwconv1"], [f"{block}.pwconv2"]))
            made += [f"{block}.dwconv", f"{block}.layernorm", f"{block}.pwconv2"]
            read.append(f"{block}.pwconv1")
            also.append(Place(f"{block}.layer_scale_parameter", 0))
        number = int(stage.rpartition(".")[2]) + 1
        following = f"stages.{number}.downsampling_layer"
        last = f"{following}.1.weight" not in layout.shapes
        made.append("layernorm" if last else f"{following}.0")
        read.append("classifier" if last else f"{following}.1")
        groups.append(units(stage, layout, made, read, also))
    return tuple(groups)


def transformer_groups(layout: ParameterLayout) -> tuple[UnitGroup, ...]:
    """Groups of a vision transformer as transformers names it: hidden units of every layer, and the stream where
    position embeddings are learnt. Heads are added by `head_groups`."""
    groups: list[UnitGroup] = []
    made = ["embeddings.patch_embeddings.projection", "layernorm"]
    read: list[Read] = ["classifier"]
    for layer in numbered(layout, r"layers\.(\d+)\..*", "layers.{}"):
        groups.append(units(f"{layer} hidden", layout, [f"{layer}.mlp.fc1"], [f"{layer}.mlp.fc2"]))
        read += [f"{layer}.attention.{part}_proj" for part in "qkv"] + [f"{layer}.mlp.fc1"]
        made += [f"{layer}.attention.o_proj", f"{layer}.mlp.fc2"]
        made += [f"{layer}.layernorm_before", f"{layer}.layernorm_after"]
    learnt = [Place(f"embeddings.{name}", 2) for name in ("cls_token", "position_embeddings")]
    if all(place.tensor in layout.shapes for place in learnt):  # fixed positions tie every unit to its number
        groups.append(units("stream", layout, made, read, learnt))
    return tuple(groups)


def head_groups(layout: ParameterLayout, heads: int) -> tuple[UnitGroup, ...]:
    """The attention heads of every layer of a vision transformer; those of a layer move as wholes."""
    groups = []
    for layer in numbered(layout, r"layers\.(\d+)\..*", "layers.{}"):
        width = layout.shapes[f"{layer}.attention.q_proj.weight"][0] // heads
        rows = [place.tensor for part in "qkv" for place in made_by(layout, f"{layer}.attention.{part}_proj")]
        places = [Place(tensor, 0, width) for tensor in rows]
        places.append(Place(f"{layer}.attention.o_proj.weight", 1, width))
        groups.append(UnitGroup(f"{layer} heads", heads, tuple(places)))
    return tuple(groups)


def numbered(layout: ParameterLayout, pattern: str, form: str) -> list[str]:
    """Modules `form` of a layout in the order of their numbers, which `pattern` captures from the tensors' names."""
    found = (re.fullmatch(pattern, name) for name in layout.shapes)
    return [form.format(number) for number in sorted({int(match[1]) for match in found if match})]
