"""Learning rates and checkpoints over a training."""

import math

import pytest

from zoogen.schedules import last_steps, schedule_factor


def test_rates_fall_from_one_to_zero() -> None:
    for done in (0.0, 0.3, 1.0):
        assert schedule_factor("constant", done) == 1
        assert schedule_factor("linear", done) == 1 - done
        assert schedule_factor("cosine", done) == pytest.approx(math.cos(math.pi * done / 2) ** 2)


@pytest.mark.parametrize("iterations", [1, 7, 60, 1000])
@pytest.mark.parametrize("checkpoints", [1, 3, 50, 2000])
@pytest.mark.parametrize("window", [0.01, 0.1, 1.0])
def test_checkpoints_are_evenly_spaced_and_end_with_the_training(
    iterations: int, checkpoints: int, window: float
) -> None:
    steps = last_steps(iterations, checkpoints, window)
    assert steps == sorted(set(steps)) and steps[-1] == iterations and steps[0] >= 1
    assert len(steps) == min(checkpoints, iterations)
    gaps = [b - a for a, b in zip(steps, steps[1:], strict=False)]
    assert not gaps or max(gaps) - min(gaps) <= 1
    assert iterations - steps[0] < max(checkpoints, round(iterations * window))
