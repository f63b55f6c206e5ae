"""Small vision networks: sizes known from the literature, and what their blocks put out."""

import pytest
import torch

from zoogen.networks.classifiers.registry import classifier
from zoogen.networks.counts import parameter_count, vision_net_parameters, without_one_output
from zoogen.networks.stacked_mlp import MLPShape
from zoogen.networks.vision import RESNET_18, RESNET_34, block_outputs, build_vision_net
from zoogen.networks.vision_config import ResnetConfig, TransformerConfig
from zoogen.seeds import seeded
from zoogen.weights.layout import ParameterLayout

SMALL = {"size": 32, "channels": 1, "classes": 10}


def test_resnets_have_the_parameters_of_the_paper() -> None:
    assert vision_net_parameters(RESNET_18) == 11_689_512
    assert vision_net_parameters(RESNET_34) == 21_797_672
    assert (RESNET_18.title, RESNET_34.title) == ("ResNet-18", "ResNet-34")


def test_transformer_has_the_parameters_of_its_formula() -> None:
    config, w, tokens = TransformerConfig(layers=3, width=16, heads=2), 16, (32 // 8) ** 2 + 1
    layer = 4 * (w * w + w) + (w * 4 * w + 4 * w) + (4 * w * w + w) + 2 * 2 * w
    embeddings = 8 * 8 * w + w + tokens * w + w
    assert vision_net_parameters(config, **SMALL) == embeddings + 3 * layer + 2 * w + w * 10 + 10


@pytest.mark.parametrize(
    ("config", "name"),
    [(RESNET_18, "resnet18"), (TransformerConfig(heads=3, layers=12, width=48, patch=8), "vit-tiny-narrow")],
)
def test_the_classifiers_of_that_size_are_the_same_networks(
    config: ResnetConfig | TransformerConfig, name: str
) -> None:
    with seeded(0):
        net = build_vision_net(config, size=32, channels=3, classes=10)
    with seeded(0):
        classifier_net = classifier(name).build(3, 32, 10)
    drawn = [
        sorted(p.detach().double().abs().sum().item() for p in either.parameters()) for either in (net, classifier_net)
    ]
    assert drawn[0] == drawn[1]
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(net.eval()(images).logits, classifier_net.eval()(images), rtol=1e-4, atol=1e-5)


def test_counting_takes_no_memory_and_equals_a_real_network() -> None:
    config = ResnetConfig(depths=(1, 2), widths=(4, 8))
    assert vision_net_parameters(config, **SMALL) == parameter_count(build_vision_net(config, **SMALL))


def test_the_policy_of_the_paper_has_no_stop_output() -> None:
    assert MLPShape(36, 32, 4).layout.size == 2372
    assert without_one_output(MLPShape(36, 32, 4).layout) == MLPShape(36, 32, 3).layout.size == 2339
    assert without_one_output(ParameterLayout.of({"weight": (3, 2)})) is None
    assert without_one_output(ParameterLayout.of({"a.weight": (3, 2), "b.bias": (4,)})) is None


@pytest.mark.parametrize(
    ("config", "names", "widths"),
    [
        (ResnetConfig(depths=(1, 2), widths=(4, 8)), ["1.1", "2.1", "2.2"], [4, 8, 8]),
        (TransformerConfig(layers=2, width=8, heads=2), ["1", "2"], [8, 8]),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_block_outputs(config: ResnetConfig | TransformerConfig, names: list[str], widths: list[int]) -> None:
    with seeded(0):
        net = build_vision_net(config, **SMALL)
    images = torch.rand(5, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    outputs = block_outputs(net, images)
    assert list(outputs) == names and [tuple(v.shape) for v in outputs.values()] == [(5, w) for w in widths]
    # Each image by itself gives the same: evaluation mode, no statistics of the batch.
    alone = block_outputs(net, images[3:4])
    for name, values in outputs.items():
        torch.testing.assert_close(alone[name][0], values[3], atol=1e-5, rtol=1e-4)
    hooks = [hook for module in net.modules() for hook in module._forward_hooks.values()]
    assert not hooks


def test_resnet_averages_the_last_block_to_its_pooled_features() -> None:
    with seeded(1):
        net = build_vision_net(ResnetConfig(depths=(1, 1), widths=(4, 8)), **SMALL)
    images = torch.rand(3, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    last = block_outputs(net, images)["2.1"]
    torch.testing.assert_close(net.classifier[-1](last), net(images).logits)


def test_mistakes_name_the_numbers() -> None:
    with pytest.raises(ValueError, match="4 depths and 1 widths"):
        ResnetConfig(widths=(8,))
    with pytest.raises(ValueError, match="width 64 does not divide among 5 heads"):
        TransformerConfig(heads=5)
