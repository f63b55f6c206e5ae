"""Symmetries of classifiers: any renumbering leaves the function, and matching undoes it."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from zoogen.networks.classifiers import published
from zoogen.networks.classifiers.build import seeded_build
from zoogen.networks.classifiers.registry import classifier
from zoogen.networks.classifiers.spec import ClassifierSpec
from zoogen.weights.alignment import align, permute
from zoogen.weights.layout import ParameterLayout
from zoogen.weights.symmetry import UnitGroup

BOTTLENECKS = ClassifierSpec(
    "bottlenecks",
    "",
    published.resnet((2, 1), (16, 32), stem=8, bottleneck=True),
    32,
    groups=published.resnet_groups,
)
VIT = ClassifierSpec("vit", "", published.vit(12, 2, 3), 16, groups=published.vit_groups(3))
SPECS = {
    "cnn-small": (classifier("cnn-small"), 28, 4),
    "cnn-medium": (classifier("cnn-medium"), 32, 4),
    "convnet-mini": (classifier("convnet-mini"), 16, 4),
    "mlp-mini": (classifier("mlp-mini"), 32, 2),
    "resnet-mini": (classifier("resnet-mini"), 16, 4),
    "vit-mini": (classifier("vit-mini"), 16, 8),  # hidden units and heads of four layers; positions are fixed
    "convnext-mini": (classifier("convnext-mini"), 32, 11),  # four streams, hidden units of seven blocks
    "resnet18": (classifier("resnet18-narrow"), 32, 12),  # four streams, a bottleneck in each of eight blocks
    "bottlenecks": (BOTTLENECKS, 32, 9),
    "vit": (VIT, 16, 5),
}


class Network:
    """A network in double precision with random values everywhere, statistics included, as one flat vector."""

    def __init__(self, spec: ClassifierSpec, size: int) -> None:
        self.module: nn.Module = seeded_build(spec, 2, size, 5, 0).double()
        generator = torch.Generator().manual_seed(3)
        state = {n: v for n, v in self.module.state_dict().items() if v.ndim}
        self.layout = ParameterLayout.of({name: tuple(value.shape) for name, value in state.items()})
        noise = {n: torch.randn(v.shape, generator=generator, dtype=torch.float64) for n, v in state.items()}
        made = {n: v + (noise[n].abs() if n.endswith("running_var") else 0.2 * noise[n]) for n, v in state.items()}
        self.weights = self.layout.flatten(made)[None]
        self.images = torch.randn(3, 2, size, size, generator=generator, dtype=torch.float64)

    def logits(self, weights: Tensor) -> Tensor:
        with torch.no_grad():
            return functional_call(self.module, self.layout.unflatten(weights[0]), (self.images,))


@pytest.fixture(scope="module", params=list(SPECS))
def case(request: pytest.FixtureRequest) -> tuple[Network, tuple[UnitGroup, ...], int]:
    spec, size, count = SPECS[request.param]
    network = Network(spec, size)
    return network, spec.groups(network.layout), count


def shuffled(network: Network, weights: Tensor, group: UnitGroup, seed: int) -> Tensor:
    order = torch.randperm(group.size, generator=torch.Generator().manual_seed(seed))
    return permute(weights, network.layout, group, order)


def test_any_renumbering_of_any_group_leaves_the_logits(case: tuple[Network, tuple[UnitGroup, ...], int]) -> None:
    network, groups, count = case
    assert len(groups) == count and len({group.name for group in groups}) == count
    before, weights = network.logits(network.weights), network.weights
    for seed, group in enumerate(groups):
        alone = shuffled(network, network.weights, group, seed)
        assert not torch.equal(alone, network.weights)
        # transformers' attention takes its softmax in single precision
        torch.testing.assert_close(network.logits(alone), before, atol=1e-5, rtol=1e-5)
        weights = shuffled(network, weights, group, seed)
    torch.testing.assert_close(network.logits(weights), before, atol=1e-5, rtol=1e-5)


def test_a_group_that_lacks_a_place_changes_the_logits(case: tuple[Network, tuple[UnitGroup, ...], int]) -> None:
    network, groups, _ = case
    before = network.logits(network.weights)
    for seed, group in enumerate(groups):
        for left_out in range(len(group.places)):
            if group.places[left_out].tensor.endswith("k_proj.bias"):
                continue  # it adds the same to all scores of a query, which softmax takes out again
            places = group.places[:left_out] + group.places[left_out + 1 :]
            order = torch.arange(group.size).roll(1 + seed % (group.size - 1))
            moved = permute(network.weights, network.layout, replace(group, places=places), order)
            assert float((network.logits(moved) - before).abs().max()) > 1e-5, group.places[left_out]


@pytest.mark.parametrize("name", ["cnn-small", "mlp-mini", "resnet-mini", "resnet18"])
def test_matching_undoes_a_random_renumbering(name: str) -> None:
    spec, size, _ = SPECS[name]
    network = Network(spec, size)
    groups = spec.groups(network.layout)
    moved = network.weights
    for seed, group in enumerate(groups):
        moved = shuffled(network, moved, group, seed)
    assert float((moved - network.weights).norm()) > 1
    found = align(moved, network.weights[0], network.layout, groups)
    torch.testing.assert_close(found, network.weights)


def test_groups_without_running_statistics_in_the_layout() -> None:
    spec, size, count = SPECS["resnet18"]
    module = seeded_build(spec, 3, size, 5, 0)
    layout = ParameterLayout.of({name: tuple(value.shape) for name, value in module.named_parameters()})
    groups = spec.groups(layout)
    assert len(groups) == count
    assert not [place for group in groups for place in group.places if "running" in place.tensor]
