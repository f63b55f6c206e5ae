"""Networks from transformers: the same function as theirs, and published weights from a local copy."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from zoogen.errors import ZoogenError
from zoogen.networks.classifiers import published
from zoogen.networks.classifiers.build import seeded_build
from zoogen.networks.classifiers.registry import classifier

NETS: dict[str, Any] = {
    "resnet18": lambda: transformers.ResNetForImageClassification(
        transformers.ResNetConfig(
            embedding_size=4, hidden_sizes=[4, 8, 8, 8], depths=[2, 2, 2, 2], layer_type="basic", num_labels=1000
        )
    ),
    "vit-tiny": lambda: transformers.ViTForImageClassification(
        transformers.ViTConfig(
            hidden_size=8, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, num_labels=1000
        )
    ),
    "convnext-tiny": lambda: transformers.ConvNextForImageClassification(
        transformers.ConvNextConfig(hidden_sizes=[4, 4, 8, 8], depths=[1, 1, 2, 1], num_labels=1000)
    ),
}


@pytest.fixture(params=list(NETS))
def local(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Any, Path]:
    """A small network of the family in the on-disk form of the hub, in place of the published one."""
    torch.manual_seed(0)
    net = NETS[request.param]().eval()
    for name, buffer in net.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_()
    net.save_pretrained(tmp_path)
    monkeypatch.setitem(published.HUB, request.param, str(tmp_path))
    return request.param, net, tmp_path


def build_like(name: str, net: Any) -> torch.nn.Module:
    """The small network as this package builds it."""
    config = net.config
    if name == "resnet18":
        build = published.resnet(tuple(config.depths), tuple(config.hidden_sizes), stem=config.embedding_size)
    elif name == "vit-tiny":
        build = published.vit(config.hidden_size, config.num_hidden_layers, config.num_attention_heads)
    else:
        build = published.convnext(tuple(config.depths), tuple(config.hidden_sizes), name)
    return build(3, 224, config.num_labels).eval()


def test_published_weights_give_the_logits_of_transformers(local: tuple[str, Any, Path]) -> None:
    name, net, _ = local
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    module = build_like(name, net)
    module.load_state_dict(dict(published.pretrained_state(name, 1000)))
    with torch.no_grad():
        torch.testing.assert_close(module(images), net(images).logits, atol=1e-5, rtol=1e-4)


def test_another_number_of_classes_gets_a_new_head(local: tuple[str, Any, Path]) -> None:
    name, net, _ = local
    whole, seven = published.pretrained_state(name, 1000), published.pretrained_state(name, 7)
    assert tuple(seven["classifier.weight"].shape)[0] == 7 and list(whole) == list(seven)
    kept = [key for key in whole if not key.startswith("classifier")]
    assert all(torch.equal(whole[key], seven[key]) for key in kept)


def test_pickled_weights_are_refused(local: tuple[str, Any, Path]) -> None:
    name, net, folder = local
    (folder / "model.safetensors").unlink()
    torch.save(net.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(ZoogenError, match="neither in the local cache of the hub nor reachable") as caught:
        published.pretrained_state(name, 10)
    assert "\n" not in str(caught.value)


def test_weights_that_are_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "resnet"}))
    monkeypatch.setitem(published.HUB, "resnet18", str(tmp_path))
    with pytest.raises(ZoogenError, match="set pretrained to false"):
        published.pretrained_state("resnet18", 10)
    with pytest.raises(ZoogenError, match="cnn-small has no published weights"):
        published.pretrained_state("cnn-small", 10)
    with pytest.raises(ZoogenError, match="set task.data.size to 224"):
        published.pretrained_state("vit-base", 10, size=32)


def test_published_names_are_classifiers_of_three_channels() -> None:
    assert all(classifier(name).channels == 3 for name in published.HUB)


def test_initial_weights_depend_on_the_seed_alone() -> None:
    spec = classifier("resnet18-narrow")
    before = torch.random.get_rng_state()
    one, other, again = (seeded_build(spec, 3, 32, 10, seed).state_dict() for seed in (0, 1, 0))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)
