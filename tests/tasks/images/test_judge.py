"""Many classifiers at once against a plain loop."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from zoogen.errors import ZoogenError
from zoogen.tasks.images.data.splits import ImageSplit
from zoogen.tasks.images.judge import Judge
from zoogen.tasks.images.view import ClassifierView


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 6), nn.BatchNorm1d(6),
        nn.Linear(6, 3),
    )  # fmt: skip


def split(count: int = 300) -> ImageSplit:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(count, 1, 8, 8, generator=generator)
    return ImageSplit(images, torch.randint(3, (count,), generator=generator))


def by_hand(view: ClassifierView, row: Tensor, images: Tensor) -> Tensor:
    own = copy.deepcopy(view.module)
    own.load_state_dict({**own.state_dict(), **view.tensors(row)})
    with torch.no_grad():
        return own.eval()(images)


@pytest.mark.parametrize("patterns", [("*",), ("4.*", "5.*", "6.*"), ("0.bias", "5.weight"), ("6.bias",)])
@pytest.mark.parametrize("statistics", [True, False])
@pytest.mark.parametrize("at_once", [None, 2])
def test_outcomes_are_those_of_single_networks(
    patterns: tuple[str, ...], statistics: bool, at_once: int | None
) -> None:
    view, data = ClassifierView.of(network(), patterns, statistics), split()
    weights = view.extract(view.module.state_dict()) + torch.randn(5, view.layout.size) / 4
    judge = Judge(view, at_once=at_once)
    seen = judge.see(data.images)
    outcome, logits = judge.outcome(weights, seen, data), judge.logits(weights, seen)
    for k, row in enumerate(weights):
        expected = by_hand(view, row, data.images)
        torch.testing.assert_close(logits[k], expected, rtol=1e-4, atol=1e-5)
        assert outcome.error[k] == (expected.argmax(1) != data.labels).double().mean()
        torch.testing.assert_close(outcome.loss[k], cross_entropy(expected, data.labels).double(), rtol=1e-4, atol=1e-6)
        for label in range(3):
            for predicted in range(3):
                share = ((data.labels == label) & (expected.argmax(1) == predicted)).double().mean()
                assert outcome.confusion[k, label, predicted] == pytest.approx(float(share))


def test_the_modules_own_values_stay() -> None:
    view, data = ClassifierView.of(network(), ("4.*", "5.*"), True), split(20)
    before = {name: value.clone() for name, value in view.module.state_dict().items()}
    judge = Judge(view, calibration=data.images)
    judge.outcome(torch.randn(3, view.layout.size), judge.see(data.images), data)
    assert all(torch.equal(value, before[name]) for name, value in view.module.state_dict().items())


def test_statistics_taken_anew_count() -> None:
    view, data, calibration = ClassifierView.of(network(), ("0.*", "6.*"), False), split(50), split(40).images
    weights = view.extract(view.module.state_dict()) + torch.randn(3, view.layout.size) / 2
    judge = Judge(view, calibration=calibration)
    logits = judge.logits(weights, judge.see(data.images))
    for k, row in enumerate(weights):
        own = copy.deepcopy(view.module)
        own.load_state_dict({**own.state_dict(), **view.tensors(row)})
        for layer in (own[1], own[5]):
            layer.momentum = None  # cumulative averages
            layer.reset_running_stats()
        with torch.no_grad():
            own.train()(calibration)
            torch.testing.assert_close(logits[k], own.eval()(data.images), rtol=1e-3, atol=1e-4)


def test_logits_that_are_not_finite_are_wrong_everywhere() -> None:
    view, data = ClassifierView.of(network(), ("6.*",), False), split(30)
    weights = view.extract(view.module.state_dict()).repeat(2, 1)
    weights[0] = 3e38  # sums overflow
    judge = Judge(view)
    outcome = judge.outcome(weights, judge.see(data.images), data)
    logits = by_hand(view, weights[0], data.images)
    lost = ~logits.isfinite().all(1)
    assert int(lost.sum()) > 20
    assert torch.equal(outcome.predictions[0], torch.where(lost, -1, logits.nan_to_num().argmax(1)))
    assert bool(outcome.wrong[0][lost].all()) and outcome.loss[0] == torch.inf
    assert float(outcome.confusion[0].sum()) == pytest.approx(1 - float(lost.double().mean()))
    assert outcome.error[1] < 1 and outcome.loss[1].isfinite()


def test_weights_that_do_not_fit_are_refused() -> None:
    view, data = ClassifierView.of(network(), ("6.*",), False), split(10)
    judge = Judge(view)
    seen, weights = judge.see(data.images), torch.zeros(3, 21)
    weights[2, 4] = torch.nan
    with pytest.raises(ZoogenError, match="1 of 3 networks hold NaN or infinity, first 2"):
        judge.outcome(weights, seen, data)
    with pytest.raises(ZoogenError, match=r"shape \[3, 20\], these networks need \[K, 21\]"):
        judge.outcome(weights[:, :20], seen, data)
