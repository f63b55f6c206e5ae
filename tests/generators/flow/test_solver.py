"""Solvers against the closed-form flow between Gaussians."""

import math

import pytest
import torch
from tests.generators.flow.gaussian import MEAN, STD, gaussian, slope
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.generators.flow.config import AdaptiveStepsConfig, FixedStepsConfig, SolverConfig
from zoogen.generators.flow.solver import WATCHED, integrate, steps_of

STARTS = torch.randn(64, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
CONDITION = torch.ones(2)


def error(solver: SolverConfig) -> float:
    points = gaussian().double().carried(STARTS, CONDITION.double(), solver)
    assert points.shape == (steps_of(solver) + 1, 64, 6) and torch.equal(points[0], STARTS)
    return float((points[-1] - (MEAN + STD * STARTS)).abs().max())


@pytest.mark.parametrize("solver", [FixedStepsConfig(), FixedStepsConfig(kind="midpoint", steps=20)])
def test_the_flow_between_gaussians_is_found(solver: SolverConfig) -> None:
    assert error(solver) < 0.05


@pytest.mark.parametrize(("kind", "order"), [("euler", 1), ("midpoint", 2)])
def test_errors_fall_with_the_order_of_the_solver(kind: str, order: int) -> None:
    """dx/dt = x (1 + t) leads from 1 to exp(3/2)."""
    starts = torch.ones(1, 1, dtype=torch.float64)

    def off(steps: int) -> float:
        solver = FixedStepsConfig(kind=kind, steps=steps)  # type: ignore[arg-type]
        return abs(float(integrate(lambda time, x: x * (1 + time), starts, solver)[-1]) - math.exp(1.5))

    assert math.log2(off(100) / off(200)) == pytest.approx(order, abs=0.1)


def test_an_adaptive_solver_keeps_its_tolerance() -> None:
    assert error(AdaptiveStepsConfig(rtol=1e-8, atol=1e-8)) < 1e-6
    assert steps_of(AdaptiveStepsConfig()) == WATCHED


def test_the_gradient_is_that_of_the_steps_that_were_made() -> None:
    """Euler's method on a linear velocity: d end / d start is the product of 1 + slope(t) / steps."""
    starts = STARTS.clone().requires_grad_()
    points = gaussian().double().carried(starts, CONDITION.double(), FixedStepsConfig(steps=20), gradients=True)
    (gradient,) = torch.autograd.grad(points[-1].sum(), starts)
    expected = torch.prod(1 + slope(torch.arange(20, dtype=torch.float64) / 20) / 20)
    torch.testing.assert_close(gradient, expected.expand_as(gradient))
    assert not gaussian().double().carried(STARTS, CONDITION.double()).requires_grad


def test_a_flow_that_diverges_is_one_line() -> None:
    def away(time: Tensor, points: Tensor) -> Tensor:
        return points * 1e30

    with pytest.raises(ZoogenError, match=r"diverged with sampler.kind euler: 64 of 64 ended in numbers that are not"):
        integrate(away, STARTS.float(), FixedStepsConfig(steps=10))
    with pytest.raises(ZoogenError, match="diverged with sampler.kind dopri5"):
        integrate(lambda time, points: points / (0.5 - time) ** 3, STARTS, AdaptiveStepsConfig())
