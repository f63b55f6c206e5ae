"""One network's training against torch by hand, and what it may depend on."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from zoogen.tasks.images.config import ClassifierOptimiserConfig, PhaseConfig
from zoogen.tasks.images.data.splits import ImageSplit
from zoogen.tasks.images.training import Images, Stream, TrainingFigures, loss_and_accuracy, run_phase, train


def split(count: int = 60, classes: int = 3, seed: int = 0) -> ImageSplit:
    """Noisy bright rows: class k has row k bright."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    images = torch.randn(count, 1, 8, 8, generator=generator)
    images[torch.arange(count), :, labels] += 2
    return ImageSplit(images, labels)


def network(seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        # a bias before normalisation has no gradient but rounding, which Adam would enlarge to whole steps
        first = [nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten()]
        return nn.Sequential(*first, nn.Linear(144, 5), nn.ReLU(), nn.Linear(5, 3))


def phase(iterations: int = 12, **settings: object) -> PhaseConfig:
    return PhaseConfig.model_validate({"iterations": iterations, "batch_size": 16, **settings})


def fit(module: nn.Module, config: PhaseConfig, **settings: object) -> TrainingFigures:
    data = split()
    stream = Stream(data, config, 7)
    return train(module, Images(data, "cpu"), stream, config, seed=7, **settings)  # type: ignore[arg-type]


def by_hand(module: nn.Module, config: PhaseConfig, optimiser: torch.optim.Optimizer, factors: list[float]) -> Tensor:
    """Plain torch on the same batches; losses of all iterations."""
    data, losses = split(), []
    stream = Stream(data, config, 7)
    base = [group["lr"] for group in optimiser.param_groups]
    for factor in factors:
        for group, rate in zip(optimiser.param_groups, base, strict=True):
            group["lr"] = rate * factor
        index = stream.next()
        loss = cross_entropy(module(data.images[index]), data.labels[index])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.detach())
    return torch.stack(losses)


@pytest.mark.parametrize(
    "kind,reference,arguments",
    [
        ("adamw", torch.optim.AdamW, {"weight_decay": 0.1}),
        ("adam", torch.optim.Adam, {"weight_decay": 0.1}),
        ("sgd", torch.optim.SGD, {"weight_decay": 0.1, "momentum": 0.9}),
    ],
)
def test_equals_torch_by_hand(kind: str, reference: type[torch.optim.Optimizer], arguments: dict[str, float]) -> None:
    optimiser = ClassifierOptimiserConfig(kind=kind, learning_rate=0.01, weight_decay=0.1, schedule="linear")  # type: ignore[arg-type]
    config = phase(optimiser=optimiser.model_dump())
    mine, other = network(), network().train()
    figures = fit(mine, config, steps=[5, 12])
    theirs = reference(other.parameters(), lr=0.01, **arguments)  # type: ignore[call-arg]
    losses = by_hand(other, config, theirs, [1 - t / 12 for t in range(12)])
    for name, value in other.state_dict().items():
        torch.testing.assert_close(mine.state_dict()[name], value, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(figures.loss[0], torch.stack([losses[:5].mean(), losses[5:].mean()]))


def test_only_the_named_parameters_change() -> None:
    module, names = network(), ["4.weight", "6.bias"]
    before = {name: value.clone() for name, value in module.state_dict().items()}
    fit(module, phase(), parameters=names)
    changed = {name for name, value in module.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == set(names)


@pytest.mark.parametrize("statistics", ["regenerated", "recalibrated"])
def test_statistics_of_changing_layers_follow_unless_kept(statistics: str) -> None:
    kept, followed = network(), network()
    before = kept.state_dict()["1.running_mean"].clone()
    fit(kept, phase(), parameters=["1.weight"], statistics="kept")
    assert torch.equal(kept.state_dict()["1.running_mean"], before)
    fit(followed, phase(), parameters=["1.weight"], statistics=statistics)
    assert not torch.equal(followed.state_dict()["1.running_mean"], before)
    untouched = network()
    fit(untouched, phase(), parameters=["6.weight"], statistics=statistics)
    assert torch.equal(untouched.state_dict()["1.running_mean"], before)


def test_outputs_by_number_give_the_same_as_images() -> None:
    module, other, data = network(), network(), split()
    config = phase()
    fit(module, config, parameters=["6.weight"])
    with torch.no_grad():
        features = other.eval()[:6](data.images)
    fit(other, config, parameters=["6.weight"], logits=lambda index: other[6](features[index]))
    torch.testing.assert_close(module[6].weight, other[6].weight)


def test_learns() -> None:
    module = network()
    fit(module, phase(80, optimiser={"learning_rate": 0.01}))
    _, accuracy = loss_and_accuracy(module, split(seed=1), "cpu")
    assert accuracy > 0.8


def test_loss_and_accuracy_by_hand() -> None:
    module, data = network().eval(), split(23)
    with torch.no_grad():
        outputs = module(data.images)
    expected = float(cross_entropy(outputs, data.labels)), float((outputs.argmax(1) == data.labels).float().mean())
    assert loss_and_accuracy(module, data, "cpu", batch=10) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("augmentation", ["none", "shift", "crop"])
def test_same_seed_same_bits(augmentation: str) -> None:
    modules = []
    for _ in range(2):
        module = nn.Sequential(network(), nn.Dropout(0.5))
        torch.rand(1)  # a global generator in another state changes nothing
        fit(module, phase(augmentation=augmentation))
        modules.append(module)
    for first, second in zip(modules[0].state_dict().values(), modules[1].state_dict().values(), strict=True):
        assert torch.equal(first, second)


def test_training_leaves_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    fit(nn.Sequential(network(), nn.Dropout(0.5)), phase())
    assert torch.equal(torch.random.get_rng_state(), before)


def test_stream_shows_all_images_equally_often() -> None:
    data = split(50)
    stream = Stream(data, phase(batch_size=16), 3)
    seen = torch.cat([stream.next() for _ in range(25)])
    assert torch.bincount(seen).tolist() == [8] * 50
    for epoch in seen.view(8, 50):
        assert epoch.sort().values.tolist() == list(range(50))
    assert not torch.equal(seen[:50], seen[50:100])
    assert len(Stream(data, phase(batch_size=128), 3).next()) == 50


def test_streams_differ_by_seed() -> None:
    data = split(50)
    first, second = (Stream(data, phase(augmentation="shift"), seed) for seed in (0, 1))
    assert not torch.equal(first.next(), second.next())
    assert not torch.equal(first.crops(), second.crops())


def test_divergence_ends_a_run_at_its_next_checkpoint() -> None:
    losses = iter([1.0, 1.0, 1.0, math.inf, 1.0, 1.0, 1.0, 1.0])
    weight, taken = nn.Parameter(torch.zeros(1)), []

    def objective() -> tuple[Tensor, Tensor]:
        return weight * 0 + next(losses), torch.zeros(1)

    figures = run_phase(
        phase(8), torch.optim.SGD([weight], 0.1), objective, 1, [2, 4, 6, 8], taken.append, progress=None
    )
    assert figures.finite.tolist() == [[True, False, False, False]]
    assert taken == [0]
    assert len(list(losses)) == 4  # the iterations after step 4 were not run


def test_one_of_several_may_diverge() -> None:
    weight = nn.Parameter(torch.zeros(2))
    calls = iter(range(100))

    def objective() -> tuple[Tensor, Tensor]:
        return weight + torch.tensor([1.0, math.nan if next(calls) == 1 else 1.0]), torch.ones(2)

    figures = run_phase(phase(3), torch.optim.SGD([weight], 0.0), objective, 2, [1, 2, 3], lambda _: None, None)
    assert figures.finite.tolist() == [[True, True, True], [True, False, False]]


def test_progress_reports_iterations() -> None:
    seen: list[tuple[int, int]] = []
    fit(network(), phase(), steps=[12], progress=lambda done, total, figures: seen.append((done, total)))
    assert seen == [(12, 12)]
