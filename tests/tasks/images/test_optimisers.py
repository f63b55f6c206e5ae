"""Learning rates over a phase."""

import math

import pytest
import torch
from torch import nn

from zoogen.schedules import schedule_factor
from zoogen.tasks.images.config import ClassifierOptimiserConfig
from zoogen.tasks.images.optimisers import build_optimiser, set_rate


@pytest.mark.parametrize("iterations", [1, 7, 100])
def test_cosine_equals_torchs(iterations: int) -> None:
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 1.0)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, iterations)
    for iteration in range(iterations):
        assert schedule_factor("cosine", iteration / iterations) == pytest.approx(reference.get_last_lr()[0], abs=1e-9)
        optimiser.step()
        reference.step()


def test_values() -> None:
    assert [schedule_factor("constant", t / 4) for t in range(4)] == [1.0] * 4
    assert [schedule_factor("linear", t / 4) for t in range(4)] == [1.0, 0.75, 0.5, 0.25]
    assert schedule_factor("cosine", 2 / 4) == pytest.approx(0.5)
    assert schedule_factor("cosine", 1 / 4) == pytest.approx((1 + math.sqrt(0.5)) / 2)


@pytest.mark.parametrize("kind", ["adamw", "adam", "sgd"])
def test_settings_reach_torch(kind: str) -> None:
    config = ClassifierOptimiserConfig(
        kind=kind,  # type: ignore[arg-type]
        learning_rate=0.2,
        weight_decay=0.3,
        momentum=0.4,
        betas=(0.5, 0.6),
        schedule="linear",
    )
    optimiser = build_optimiser(config, [nn.Parameter(torch.zeros(2))])
    set_rate(optimiser, config, 3, 4)
    group = optimiser.param_groups[0]
    assert type(optimiser).__name__.lower() == kind
    assert group["lr"] == pytest.approx(0.05)
    assert group["weight_decay"] == 0.3
    assert (group["momentum"] == 0.4) if kind == "sgd" else (group["betas"] == (0.5, 0.6))
