"""Classifiers by name: counts known from the papers, shapes, and that stacks of them equal single ones."""

import fnmatch

import pytest
import torch
from torch import nn
from torch.func import functional_call, vmap

from zoogen.errors import ZoogenError
from zoogen.networks.classifiers import published
from zoogen.networks.classifiers.build import checked, last_normalisations, seeded_build
from zoogen.networks.classifiers.registry import classifier, classifier_names
from zoogen.networks.classifiers.spec import ClassifierSpec
from zoogen.networks.counts import parameter_count
from zoogen.weights.layout import ParameterLayout

BOTTLENECKS = ClassifierSpec("bottlenecks", "", published.resnet((2, 1), (16, 32), stem=8, bottleneck=True), 32)
CHEAP = ("cnn-small", "cnn-medium", "mlp-mini", "resnet18-narrow", "vit-tiny-narrow")
STACKED = [(classifier(name), classifier(name).size) for name in CHEAP]
STACKED += [(classifier(f"{name}-mini"), 32) for name in ("convnet", "resnet", "vit", "convnext")]
STACKED += [(BOTTLENECKS, 32)]


def on_meta(name: str, channels: int, size: int, classes: int = 10) -> nn.Module:
    with torch.device("meta"):
        return classifier(name).build(channels, size, classes)


@pytest.mark.parametrize(
    ("name", "channels", "size", "count"),
    [
        ("cnn-small", 1, 28, 2_464),
        ("cnn-small", 3, 28, 2_864),
        ("cnn-medium", 1, 32, 10_565),
        ("convnet-mini", 3, 64, 24_262),
        ("convnet-mini", 3, 32, 24_262),
        ("mlp-mini", 3, 64, 66_970),
        ("mlp-mini", 1, 32, 66_970),
        ("resnet-mini", 3, 64, 25_138),
        ("resnet-mini", 3, 32, 25_138),
        ("vit-mini", 3, 64, 80_714),
        ("convnext-mini", 3, 64, 74_970),
    ],
)
def test_counts_of_the_papers(name: str, channels: int, size: int, count: int) -> None:
    assert parameter_count(on_meta(name, channels, size)) == count


@pytest.mark.parametrize(
    ("name", "count"),
    [("resnet18", 11_689_512), ("resnet50", 25_557_032), ("vit-base", 86_567_656), ("convnext-tiny", 28_589_128)],
)
def test_counts_of_published_networks(name: str, count: int) -> None:
    assert parameter_count(on_meta(name, 3, 224, classes=1000)) == count


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("resnet18", 2_048),
        ("resnet50", 5_120),
        ("vit-tiny", 768),
        ("vit-base", 3_072),
        ("convnext-tiny", 3_072),
        ("convnext-base", 4_096),
    ],
)
def test_last_two_normalisations_have_the_counts_of_table_6(name: str, count: int) -> None:
    shapes = {key: tuple(value.shape) for key, value in on_meta(name, 3, 224).named_parameters()}
    assert ParameterLayout.of(shapes).subset(classifier(name).normalisations).size == count


@pytest.mark.parametrize("name", classifier_names())
def test_named_normalisations_are_the_last_of_the_module(name: str) -> None:
    module = on_meta(name, 3, 64)
    assert classifier(name).normalisations == last_normalisations(module)
    names = [key for key, _ in module.named_parameters()]
    for pattern in classifier(name).normalisations:
        assert len(fnmatch.filter(names, pattern)) == 2  # weight and bias


@pytest.mark.parametrize("name", [*CHEAP, "convnet-mini", "resnet-mini", "vit-mini", "convnext-mini"])
def test_every_network_takes_its_own_images(name: str) -> None:
    spec = classifier(name)
    for channels in (1, 3):
        module = checked(spec, channels, spec.size, 7)
        assert not module.training
        assert torch.equal(next(checked(spec, channels, spec.size, 7).parameters()), next(module.parameters()))


def stacked_states(spec: ClassifierSpec, size: int, count: int) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    nets = [seeded_build(spec, 3, size, 5, seed) for seed in range(count)]
    generator = torch.Generator().manual_seed(1)
    states: dict[str, torch.Tensor] = {}
    for name in nets[0].state_dict():
        values = torch.stack([net.state_dict()[name] for net in nets])
        if name.endswith("running_var"):
            values = values + torch.rand(values.shape, generator=generator)
        elif values.is_floating_point():
            values = values + 0.05 * torch.randn(values.shape, generator=generator)
        states[name] = values
    return nets[0], states


@pytest.mark.parametrize(("spec", "size"), STACKED, ids=lambda value: getattr(value, "name", None))
@pytest.mark.parametrize("changing", ["*", "last two normalisations", "*shortcut*"])
def test_a_stack_of_networks_equals_a_plain_loop(spec: ClassifierSpec, size: int, changing: str) -> None:
    module, states = stacked_states(spec, size, 3)
    patterns = last_normalisations(module) if changing.startswith("last") else (changing,)
    batched = {n: v for n, v in states.items() if any(fnmatch.fnmatchcase(n, p) for p in patterns)}
    rest = {n: v[0] for n, v in states.items() if n not in batched}
    images = torch.randn(4, 3, size, size, generator=torch.Generator().manual_seed(2))
    if not batched:  # a network without what should change
        assert "shortcut" in changing or spec.name.startswith("cnn")
        return
    with torch.no_grad():
        found = vmap(lambda some: functional_call(module, {**rest, **some}, (images,)))(batched)
        for row in range(3):
            module.load_state_dict({n: v if n in rest else states[n][row] for n, v in {**states, **rest}.items()})
            torch.testing.assert_close(found[row], module(images), atol=1e-4, rtol=1e-4)
    assert float((found[0] - found[1]).abs().max()) > 1e-4


def test_names_in_any_case_and_unknown_ones() -> None:
    assert classifier(" CNN-Small ").name == "cnn-small"
    with pytest.raises(ZoogenError, match="no network 'resnet-18'; the nearest are resnet18"):
        classifier("resnet-18")
    with pytest.raises(ZoogenError, match="set task.own to its path"):
        classifier("own")


@pytest.mark.parametrize(
    "name", ["cnn-small", "cnn-medium", "convnet-mini", "resnet-mini", "vit-mini", "convnext-tiny"]
)
def test_images_that_are_too_small(name: str) -> None:
    with pytest.raises(ZoogenError, match="set task.data.size to a"):
        checked(classifier(name), 1, 4, 10)


def test_vision_transformers_choose_patches_by_size() -> None:
    for size, patch in ((224, 16), (112, 16), (32, 8), (28, 7)):
        weight = dict(on_meta("vit-tiny", 3, size).named_parameters())["embeddings.patch_embeddings.projection.weight"]
        assert tuple(weight.shape) == (192, 3, patch, patch)


def test_mini_at_64_pixels_sees_the_mean_of_32() -> None:
    """MLP-mini halves larger images, so an image made of equal squares of four pixels gives the same logits."""
    module = seeded_build(classifier("mlp-mini"), 1, 32, 10, 0)
    images = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    doubled = images.repeat_interleave(2, 2).repeat_interleave(2, 3)
    with torch.no_grad():
        torch.testing.assert_close(module(images), module(doubled))
