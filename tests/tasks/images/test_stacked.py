"""Stacked training against one network after the other."""

import pytest
import torch
from torch import Tensor, nn

from zoogen.tasks.images.config import PhaseConfig
from zoogen.tasks.images.data.splits import ImageSplit
from zoogen.tasks.images.stacked import stacks, train_stacked
from zoogen.tasks.images.training import Images, Stream, train


def split() -> ImageSplit:
    generator = torch.Generator().manual_seed(0)
    return ImageSplit(torch.randn(40, 1, 6, 6, generator=generator), torch.arange(40) % 3)


# A bias before normalisation has no gradient but rounding, which Adam would enlarge to whole steps: there is none here.
def perceptron(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))


def convolutional(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 3, 3, bias=False), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 3))


@pytest.mark.parametrize("make", [perceptron, convolutional])
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("statistics", ["kept", "regenerated"])
@pytest.mark.parametrize("augmentation", ["none", "shift"])
@torch.random.fork_rng(devices=[])
def test_equals_one_after_the_other(make: object, whole: bool, statistics: str, augmentation: str) -> None:
    config = PhaseConfig(iterations=6, batch_size=16, augmentation=augmentation)  # type: ignore[arg-type]
    data, seeds = split(), [3, 4, 5]
    modules = [make(seed).eval() for seed in seeds]  # type: ignore[operator]
    parameters = None if whole else [name for name, _ in modules[0].named_parameters()]
    states = [{name: value.clone() for name, value in module.state_dict().items()} for module in modules]
    tensors = {name: torch.stack([state[name] for state in states]) for name in states[0]}
    taken: list[dict[str, Tensor]] = []
    figures = train_stacked(
        modules[0],
        tensors,
        Images(data, "cpu"),
        [Stream(data, config, seed) for seed in seeds],
        config,
        parameters=parameters,
        statistics=statistics,  # type: ignore[arg-type]
        steps=[2, 6],
        on_checkpoint=lambda _: taken.append({name: value.detach().clone() for name, value in tensors.items()}),
    )
    for m, seed in enumerate(seeds):
        module = make(seed)  # type: ignore[operator]
        module.load_state_dict(states[m])
        alone = train(
            module,
            Images(data, "cpu"),
            Stream(data, config, seed),
            config,
            seed=seed,
            parameters=parameters,
            statistics=statistics,  # type: ignore[arg-type]
            steps=[2, 6],
        )
        torch.testing.assert_close(figures.loss[m : m + 1], alone.loss, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(figures.accuracy[m : m + 1], alone.accuracy)
        for name, value in module.state_dict().items():
            torch.testing.assert_close(taken[1][name][m], value, rtol=1e-3, atol=1e-5)
        assert any(not torch.equal(taken[0][name][m], states[m][name]) for name in states[m])


def test_a_subset_shares_the_rest() -> None:
    config, data = PhaseConfig(iterations=5, batch_size=16), split()
    with torch.random.fork_rng(devices=[]):
        module = perceptron(0).eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    tensors = {"4.bias": torch.stack([before["4.bias"]] * 2)}
    streams = [Stream(data, config, seed) for seed in (0, 1)]
    train_stacked(module, tensors, Images(data, "cpu"), streams, config, parameters=["4.bias"], steps=[5])
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert not torch.equal(tensors["4.bias"][0], tensors["4.bias"][1])


def test_a_network_that_diverges_leaves_the_others_alone() -> None:
    config, data = PhaseConfig(iterations=4, batch_size=16), split()
    with torch.random.fork_rng(devices=[]):
        module = perceptron(0)
    streams = [Stream(data, config, 9), Stream(data, config, 9)]
    tensors = {name: torch.stack([value, value.clone()]) for name, value in module.state_dict().items()}
    tensors["1.weight"][1, 0, 0] = torch.nan
    figures = train_stacked(module, tensors, Images(data, "cpu"), streams, config, steps=[1, 4])
    assert figures.finite.tolist() == [[True, True], [False, False]]
    assert all(bool(torch.isfinite(value[0]).all()) for value in tensors.values())


def test_auto_takes_what_pays() -> None:
    with torch.random.fork_rng(devices=[]):
        flat, deep = perceptron(0), convolutional(0)
    assert stacks(flat, "auto", "cpu") and not stacks(deep, "auto", "cpu")
    assert stacks(deep, "auto", "cuda") and not stacks(nn.Linear(1000, 1001), "auto", "cuda")
    assert stacks(deep, "stacked", "cpu") and not stacks(flat, "single", "cuda")
    assert not stacks(nn.Sequential(flat, nn.Dropout(0.1)), "auto", "cpu")
