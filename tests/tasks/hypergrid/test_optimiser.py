"""Stacked optimisers against `torch.optim`, one model at a time."""

import pytest
import torch

from zoogen.tasks.hypergrid.optimiser import OptimiserConfig, StackedOptimiser

CASES = [
    (OptimiserConfig(kind="sgd"), torch.optim.SGD, {}),
    (
        OptimiserConfig(kind="sgd", momentum=0.9, weight_decay=0.1),
        torch.optim.SGD,
        {"momentum": 0.9, "weight_decay": 0.1},
    ),
    (OptimiserConfig(kind="adam"), torch.optim.Adam, {}),
    (
        OptimiserConfig(kind="adam", weight_decay=0.1, betas=(0.8, 0.99)),
        torch.optim.Adam,
        {"weight_decay": 0.1, "betas": (0.8, 0.99)},
    ),
    (OptimiserConfig(kind="adamw", weight_decay=0.1), torch.optim.AdamW, {"weight_decay": 0.1}),
]


@pytest.mark.parametrize("config,reference,arguments", CASES)
def test_updates_equal_pytorchs(
    config: OptimiserConfig, reference: type[torch.optim.Optimizer], arguments: dict
) -> None:
    generator = torch.Generator().manual_seed(0)
    rates = torch.tensor([0.01, 0.1, 0.5])
    parameters = torch.randn(3, 4, 5, generator=generator)
    stacked = StackedOptimiser(config, parameters, rates)
    singles = [parameters[k].clone().requires_grad_() for k in range(3)]
    optimisers = [reference([p], lr=float(rates[k]), **arguments) for k, p in enumerate(singles)]
    for factor in (1.0, 0.7, 0.4, 0.1):
        gradient = torch.randn(3, 4, 5, generator=generator)
        stacked.step(gradient, factor)
        for k, (single, optimiser) in enumerate(zip(singles, optimisers, strict=True)):
            optimiser.param_groups[0]["lr"] = float(rates[k]) * factor
            single.grad = gradient[k].clone()
            optimiser.step()
    torch.testing.assert_close(parameters, torch.stack([s.detach() for s in singles]))


def test_schedules_begin_at_one_and_end_at_the_final_factor() -> None:
    for schedule in ("linear", "cosine"):
        config = OptimiserConfig(schedule=schedule, final_factor=0.1)
        factors = [config.factor(i, 100) for i in range(101)]
        assert factors[0] == 1
        assert factors[-1] == pytest.approx(0.1)
        assert factors == sorted(factors, reverse=True)
    assert OptimiserConfig(schedule="constant").factor(99, 100) == 1


@pytest.mark.parametrize("rate", [0.0, -1e-3, []])
def test_rates_must_be_positive(rate: object) -> None:
    with pytest.raises(ValueError, match="learning_rate"):
        OptimiserConfig(learning_rate=rate)
