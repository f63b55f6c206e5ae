"""The training loop: what it minimises, resuming, averaging, schedules."""

import math
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn

from zoogen.errors import ZoogenError
from zoogen.seeds import seeded
from zoogen.training.config import (
    AdamWConfig,
    EmaConfig,
    LoopConfig,
    OptimiserConfig,
    ScheduleConfig,
    SoapConfig,
)
from zoogen.training.hooks import LocalHooks
from zoogen.training.loop import fit, rate_factor
from zoogen.training.state import TrainingState

TRUTH = torch.tensor([[1.0, -2.0, 0.5]])
BASE = LoopConfig(
    iterations=60,
    batch_size=8,
    optimiser=AdamWConfig(lr=0.03),
    schedule=ScheduleConfig(kind="cosine", warmup=5),
    clip=1.0,
    ema=EmaConfig(decay=0.9),
    log_every=20,
    checkpoint_every=25,
)


class Regression(nn.Module):
    """Least squares towards TRUTH, with noise from the generator."""

    def __init__(self) -> None:
        super().__init__()
        with seeded(1):
            self.linear = nn.Linear(3, 1)

    def forward(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        noise = 0.01 * torch.randn(len(batch), 1, generator=generator)
        error = self.linear(batch) - batch @ TRUTH.T - noise
        return error.square().mean(), {"largest": error.abs().max()}


def sample_batch(count: int, generator: torch.Generator) -> Tensor:
    return torch.randn(count, 3, generator=generator)


def _train(config: LoopConfig, initial: bytes | None = None, seed: int = 0) -> tuple[Regression, list[bytes], list]:
    states: list[bytes] = []
    logs: list[tuple[int, int, dict]] = []
    objective = Regression()
    hooks = LocalHooks(
        log=lambda step, total, figures: logs.append((step, total, dict(figures))),
        checkpoint=lambda state, step, figures: states.append(state),
        initial_state=initial,
    )
    result = fit(objective, sample_batch, config, seed=seed, hooks=hooks)
    return objective, states, [*result.history]


def test_it_learns() -> None:
    config = BASE.model_copy(update={"iterations": 800, "ema": None})
    objective, _, history = _train(config)
    torch.testing.assert_close(objective.linear.weight.detach(), TRUTH, atol=0.02, rtol=0)
    assert history[-1]["loss"] < 1e-3 < history[0]["loss"]
    assert {"step", "loss", "lr", "gradient_norm", "largest"} <= set(history[-1])


@pytest.mark.parametrize("ema", [None, EmaConfig(decay=0.9, warmup=True)])
@pytest.mark.parametrize("optimiser", [BASE.optimiser, SoapConfig(lr=0.03, frequency=7)])
def test_resumed_training_equals_an_undisturbed_one(optimiser: OptimiserConfig, ema: EmaConfig | None) -> None:
    config = BASE.model_copy(update={"ema": ema, "optimiser": optimiser})
    whole, states, history = _train(config)
    for state in states[:-1]:
        resumed, _, again = _train(config, state)
        assert again == history
        for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
            assert torch.equal(one, other)


def test_soap_does_not_depend_on_the_coordinates_of_a_layer() -> None:
    """A rotation of the inputs changes what Adam does, and nothing for SOAP."""
    generator = torch.Generator().manual_seed(0)
    rotation = torch.linalg.qr(torch.randn(6, 6, generator=generator))[0]
    inputs, truth = torch.randn(40, 6, generator=generator), torch.randn(4, 6, generator=generator)

    class Rotated(nn.Module):
        def __init__(self, rotation: Tensor) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(4, 6))
            self.rotation = rotation

        def forward(self, batch: Tensor, generator: torch.Generator) -> Tensor:
            return (inputs @ self.rotation @ self.weight.T - inputs @ truth.T).square().sum().sqrt()

    def losses(optimiser: OptimiserConfig, rotation: Tensor) -> list[float]:
        config = LoopConfig(iterations=30, batch_size=1, optimiser=optimiser, log_every=5)
        return [entry["loss"] for entry in fit(Rotated(rotation), sample_batch, config, seed=0).history]

    def differ(optimiser: OptimiserConfig) -> float:
        plain, rotated = losses(optimiser, torch.eye(6)), losses(optimiser, rotation)
        return max(abs(a / b - 1) for a, b in zip(plain, rotated, strict=True))

    assert differ(SoapConfig(lr=0.02, frequency=1)) < 1e-3
    assert differ(AdamWConfig(lr=0.02)) > 1e-2


def test_checkpoints_come_when_asked_and_at_the_end() -> None:
    _, states, history = _train(BASE)
    assert [TrainingState.from_bytes(state).step for state in states] == [25, 50, 60]
    assert [entry["step"] for entry in history] == [20, 25, 40, 50, 60]


def test_equal_seeds_equal_bits_and_others_differ() -> None:
    one, other, third = _train(BASE)[0], _train(BASE)[0], _train(BASE, seed=1)[0]
    assert torch.equal(one.linear.weight, other.linear.weight)
    assert not torch.equal(one.linear.weight, third.linear.weight)


def test_result_is_the_average_and_the_state_keeps_both() -> None:
    objective, states, _ = _train(BASE)
    state = TrainingState.from_bytes(states[-1])
    assert torch.equal(objective.linear.weight, state.average[0])
    assert not torch.equal(objective.linear.weight, state.model["linear.weight"])


def test_update_is_that_of_torch_adamw() -> None:
    config = LoopConfig(iterations=5, batch_size=4, optimiser=AdamWConfig(lr=0.1, weight_decay=0.1))
    objective, states, _ = _train(config)
    reference = Regression()
    optimiser = torch.optim.AdamW(reference.parameters(), lr=0.1, betas=(0.9, 0.999), weight_decay=0.1)
    batches: list[tuple[Tensor, Tensor]] = []

    class Recorder(Regression):
        def forward(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
            state = generator.get_state()
            batches.append((batch, torch.randn(len(batch), 1, generator=generator)))
            generator.set_state(state)
            return super().forward(batch, generator)

    fit(Recorder(), sample_batch, config, seed=0)
    for batch, noise in batches:
        loss = (reference.linear(batch) - batch @ TRUTH.T - 0.01 * noise).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    torch.testing.assert_close(objective.linear.weight, reference.linear.weight)


def test_schedules() -> None:
    linear = ScheduleConfig(kind="linear", warmup=10, floor=0.1)
    assert rate_factor(linear, 0, 110) == pytest.approx(0.1)
    assert rate_factor(linear, 10, 110) == 1
    assert rate_factor(linear, 60, 110) == pytest.approx(0.55)
    assert rate_factor(ScheduleConfig(kind="cosine"), 25, 100) == pytest.approx((1 + math.cos(math.pi / 4)) / 2)
    assert rate_factor(ScheduleConfig(), 99, 100) == 1


def test_bf16_trains() -> None:
    objective, _, _ = _train(BASE.model_copy(update={"iterations": 400, "precision": "bf16", "ema": None}))
    torch.testing.assert_close(objective.linear.weight.detach(), TRUTH, atol=0.1, rtol=0)
    assert objective.linear.weight.dtype == torch.float32


def test_mistakes_are_one_line() -> None:
    _, states, _ = _train(BASE)
    with pytest.raises(ZoogenError, match="other settings"):
        _train(BASE.model_copy(update={"iterations": 61}), states[0])
    with pytest.raises(ZoogenError, match="other settings"):
        _train(BASE, states[0], seed=1)
    with pytest.raises(ZoogenError, match="the training state is damaged"):
        _train(BASE, states[0][:-1])
    with pytest.raises(ZoogenError, match="does not divide among 3 workers"):
        fit(Regression(), sample_batch, BASE, seed=0, hooks=LocalHooks(world_size=3))
    with pytest.raises(ZoogenError, match="loss is nan at iteration 20"):
        fit(Regression(), lambda count, generator: torch.full((count, 3), torch.nan), BASE, seed=0)
    with pytest.raises(ValueError, match="longer than"):
        LoopConfig(iterations=10, schedule=ScheduleConfig(warmup=11))
