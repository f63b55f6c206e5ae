"""Tables of the frozen prefix against the plain module."""

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from zoogen.networks.vision import build_vision_net
from zoogen.networks.vision_config import ResnetConfig, TransformerConfig
from zoogen.tasks.images.features import frozen_prefix, prefix_or_whole, whole_network
from zoogen.tasks.images.pools import faster_pools


class Logits(nn.Module):
    """A network of `transformers` whose output is the logits alone."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images).logits


class Residual(nn.Module):
    """Two residual blocks with shared, in-place activations and a value that passes by both."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4))
        self.first, self.second = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.act = nn.ReLU(inplace=True)  # runs three times
        self.side = nn.Linear(64, 3)
        self.norm, self.head = nn.BatchNorm2d(4), nn.Linear(4, 3)

    def forward(self, images: Tensor) -> Tensor:
        x = self.act(self.stem(images))
        aside = self.side(images.flatten(1))
        x = x + self.act(self.first(x))
        x = x + self.act(self.norm(self.second(x)))
        return self.head(x.mean((2, 3))) + aside


class Tied(nn.Module):
    """The last layer is the first one's transpose: it changes with it."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.middle = nn.Linear(16, 8), nn.Linear(8, 8)

    def forward(self, images: Tensor) -> Tensor:
        hidden = torch.tanh(self.body(images.flatten(1)))
        return self.middle(hidden) @ self.middle.weight


def sequential() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(144, 8), nn.Linear(8, 3)
    )


def resnet() -> nn.Module:
    return Logits(build_vision_net(ResnetConfig(depths=(1, 2), widths=(4, 8)), size=16, channels=1, classes=3))


def transformer() -> nn.Module:
    config = TransformerConfig(heads=2, layers=2, width=8, patch=4)
    return Logits(build_vision_net(config, size=8, channels=1, classes=3))


def convnext() -> nn.Module:
    from transformers import ConvNextConfig, ConvNextForImageClassification

    config = ConvNextConfig(
        num_channels=1, num_labels=3, image_size=32, hidden_sizes=[4, 8], depths=[1, 1], num_stages=2, patch_size=4
    )
    return Logits(ConvNextForImageClassification(config))


CASES = {
    "sequential": (sequential, 8, ("5.weight", "4.bias")),
    "residual": (Residual, 8, ("norm.weight", "norm.bias")),
    "resnet": (
        resnet,
        16,
        tuple(
            f"net.resnet.encoder.stages.1.layers.1.layer.{i}.normalization.{kind}"
            for i in (0, 1)
            for kind in ("weight", "bias", "running_mean")
        ),
    ),
    "transformer": (transformer, 8, ("net.vit.layers.1.layernorm_after.weight", "net.vit.layernorm.bias")),
    "convnext": (
        convnext,
        32,
        ("net.convnext.encoder.stages.1.layers.0.layernorm.weight", "net.convnext.layernorm.bias"),
    ),
}


def made(name: str, images: int = 7) -> tuple[nn.Module, tuple[str, ...], Tensor]:
    build, size, names = CASES[name]
    torch.manual_seed(0)
    module = build().eval()
    for buffer_name, buffer in module.named_buffers():
        if buffer_name.endswith("running_mean"):
            buffer.copy_(torch.randn_like(buffer) / 4)
    return module, names, torch.randn(images, 1, size, size)


def changed(module: nn.Module, names: tuple[str, ...], count: int) -> dict[str, Tensor]:
    state = module.state_dict()
    return {name: state[name] + torch.randn(count, *state[name].shape) / 2 for name in names}


@pytest.mark.parametrize("name", CASES)
def test_tables_give_the_plain_modules_logits(name: str) -> None:
    module, names, images = made(name)
    prefix = frozen_prefix(module, names, images)
    assert prefix is not None
    tensors, index = changed(module, names, 5), torch.tensor([6, 0, 3])
    with torch.no_grad():
        expected = [functional_call(module, {n: t[k] for n, t in tensors.items()}, (images[index],)) for k in range(5)]
        torch.testing.assert_close(prefix.logits(index), module(images[index]), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(prefix.stacked(tensors, index), torch.stack(expected), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_gradients_of_the_changing_tensors_are_those_of_the_plain_module(name: str) -> None:
    module, names, images = made(name)
    prefix = frozen_prefix(module, names, images)
    assert prefix is not None
    index = torch.tensor([1, 2, 5])
    parameters = [p for n, p in module.named_parameters() if n in names]
    plain = torch.autograd.grad(module(images[index]).square().sum(), parameters)
    tabled = torch.autograd.grad(prefix.logits(index).square().sum(), parameters)
    for first, second in zip(plain, tabled, strict=True):
        torch.testing.assert_close(second, first, rtol=1e-3, atol=1e-4)


def test_only_what_the_rest_reads_is_kept() -> None:
    module, names, images = made("residual")
    prefix = frozen_prefix(module, names, images)
    assert prefix is not None
    # the second block's input goes by way of stem and first; the side path and the last convolution are read as well
    assert prefix.bytes == 4 * 7 * (3 * 4 * 8 * 8 + 3)
    module, names, images = made("sequential")
    prefix = frozen_prefix(module, ("5.weight",), images)
    assert prefix is not None and prefix.bytes == 4 * 7 * 8


def test_frozen_submodules_do_not_run_again() -> None:
    module, names, images = made("transformer")
    prefix = frozen_prefix(module, names, images)
    assert prefix is not None
    ran: list[str] = []
    for name, child in module.named_modules():
        child.register_forward_hook(lambda _m, _i, _o, name=name: ran.append(name) if name in prefix.live else None)
    prefix.logits(torch.arange(3))
    assert "net.vit.layers.1.layernorm_after" in ran and "net.vit.layernorm" in ran
    assert not [name for name in prefix.live if name.startswith(("net.vit.layers.0", "net.vit.embeddings"))]
    assert "forward" not in module.net.vit.layers[0].__dict__  # everything is as before


def test_none_where_the_first_submodule_changes() -> None:
    module, _, images = made("sequential")
    assert frozen_prefix(module, ("0.weight",), images) is None
    assert frozen_prefix(module, ("5.weight",), images, gib=1e-9) is None
    whole = prefix_or_whole(module, ("0.weight",), images)
    assert whole.bytes == 0
    torch.testing.assert_close(whole.logits(torch.arange(7)), module(images))


def test_a_tensor_that_is_read_twice_is_noticed() -> None:
    torch.manual_seed(0)
    module, images = Tied().eval(), torch.randn(5, 1, 4, 4)
    prefix = prefix_or_whole(module, ("middle.weight",), images)
    tensors = changed(module, ("middle.weight",), 2)
    expected = [functional_call(module, {n: t[k] for n, t in tensors.items()}, (images,)) for k in range(2)]
    torch.testing.assert_close(prefix.stacked(tensors, torch.arange(5)), torch.stack(expected))


class Branching(nn.Module):
    """Python control flow on values: no batched pass can follow it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(16, 3)

    def forward(self, images: Tensor) -> Tensor:
        logits = self.layer(images.flatten(1))
        return logits if float(logits.detach().sum()) > 0 else -logits


def test_networks_that_cannot_be_batched_go_one_by_one() -> None:
    torch.manual_seed(1)
    module, images = Branching().eval(), torch.randn(4, 1, 4, 4)
    tensors = changed(module, ("layer.weight",), 3)
    prefix = whole_network(module, images)
    expected = [functional_call(module, {"layer.weight": row}, (images,)) for row in tensors["layer.weight"]]
    torch.testing.assert_close(prefix.stacked(tensors, torch.arange(4)), torch.stack(expected))


def test_poolings_are_torchs_own() -> None:
    torch.manual_seed(0)
    pools = nn.Sequential(nn.MaxPool2d(2), nn.MaxPool2d((1, 3)), nn.MaxPool2d(2, 1), nn.MaxPool2d(2, ceil_mode=True))
    found, images = faster_pools(pools), torch.randn(3, 2, 9, 11)
    images[0, 0, 1, 1] = torch.nan
    assert set(found) == {pools[0], pools[1]}
    for layer, forward in found.items():
        assert torch.equal(forward(images).nan_to_num(9), layer(images).nan_to_num(9))


def test_convolutions_that_differ_go_one_by_one_on_a_cpu() -> None:
    module, _, images = made("sequential")
    index = torch.arange(7)
    for name, batched in (("0.weight", False), ("0.bias", True), ("5.weight", True)):
        prefix, tensors = whole_network(module, images), changed(module, (name,), 3)
        expected = [functional_call(module, {name: row}, (images,)) for row in tensors[name]]
        torch.testing.assert_close(prefix.stacked(tensors, index), torch.stack(expected), rtol=1e-4, atol=1e-5)
        assert prefix._batched is batched
