"""The moving average against its definition."""

import pytest
import torch
from torch import nn

from zoogen.training.config import EmaConfig
from zoogen.training.ema import ParameterAverage


@pytest.mark.parametrize("warmup", [False, True])
def test_average_follows_its_formula(warmup: bool) -> None:
    parameter = nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
    average = ParameterAverage(EmaConfig(decay=0.9, warmup=warmup), [parameter])
    expected = parameter.detach().clone()
    generator = torch.Generator().manual_seed(0)
    for t in range(1, 200):
        with torch.no_grad():
            parameter.add_(torch.randn(2, generator=generator, dtype=torch.float64))
        average.update(t)
        decay = min(0.9, (1 + t) / (10 + t)) if warmup else 0.9
        expected = decay * expected + (1 - decay) * parameter.detach()
    torch.testing.assert_close(average.averages[0], expected)
    average.copy_to_parameters()
    torch.testing.assert_close(parameter.detach(), expected)


def test_warmup_ends_at_the_configured_decay() -> None:
    average = ParameterAverage(EmaConfig(decay=0.9999, warmup=True), [])
    assert average.decay(1) == pytest.approx(2 / 11)
    assert average.decay(10**7) == 0.9999
