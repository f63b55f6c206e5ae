"""CKA: its closed forms, its invariances, and what it reads when there is nothing to find."""

import math

import pytest
import torch
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.evaluation.cka import cka, layer_similarity

BOTH = pytest.mark.parametrize("unbiased", [False, True])


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def kernel_cka(x: Tensor, y: Tensor) -> float:
    """CKA by its definition with n x n kernels: tr(K H L H), centred on both sides (Kornblith et al., equation 3)."""
    n = len(x)
    h = torch.eye(n, dtype=torch.float64) - torch.ones(n, n, dtype=torch.float64) / n

    def hsic(a: Tensor, b: Tensor) -> float:
        return torch.trace(a @ a.T @ h @ b @ b.T @ h).item() / (n - 1) ** 2

    return hsic(x, y) / math.sqrt(hsic(x, x) * hsic(y, y))


def brute_force_hsic1(x: Tensor, y: Tensor) -> float:
    """The U-statistic that HSIC1 is: the mean over ordered quadruples of different inputs (Song et al. 2012)."""
    k, m, n, total, count = x @ x.T, y @ y.T, len(x), 0.0, 0
    for i in range(n):
        for j in range(n):
            for q in range(n):
                for r in range(n):
                    if len({i, j, q, r}) == 4:
                        total += (k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q])).item()
                        count += 1
    return total / count


@BOTH
def test_one_for_itself_turned_scaled_and_shifted(unbiased: bool) -> None:
    x = normal(40, 6)
    turn = torch.linalg.qr(normal(6, 6, seed=1)).Q
    assert cka(x, x, unbiased).item() == pytest.approx(1)
    assert cka(x, 7.5 * x @ turn + 3, unbiased).item() == pytest.approx(1)


@BOTH
def test_a_rotation_and_a_scale_of_either_side_change_nothing(unbiased: bool) -> None:
    x, y = normal(30, 5), normal(30, 8, seed=2) + normal(30, 5).repeat(1, 2)[:, :8]
    turn = torch.linalg.qr(normal(8, 8, seed=3)).Q
    assert cka(x, y, unbiased).item() == pytest.approx(cka(0.01 * x, -4 * y @ turn, unbiased).item())
    assert cka(x, y, unbiased).item() == pytest.approx(cka(y, x, unbiased).item())
    # An invertible map that is no rotation does change it.
    assert abs(cka(x, y, unbiased) - cka(x, y * torch.linspace(1, 5, 8), unbiased)) > 0.01


def test_it_is_the_kernel_formulation() -> None:
    x, y = normal(25, 4), normal(25, 7, seed=4) + normal(25, 1).expand(25, 7)
    assert cka(x, y).item() == pytest.approx(kernel_cka(x, y))


def test_the_unbiased_one_is_the_u_statistic() -> None:
    x, y = normal(8, 3), normal(8, 2, seed=5) + 0.5 * normal(8, 3)[:, :2]
    expected = brute_force_hsic1(x, y) / math.sqrt(brute_force_hsic1(x, x) * brute_force_hsic1(y, y))
    assert cka(x, y, unbiased=True).item() == pytest.approx(expected)


def test_one_feature_each_gives_the_squared_correlation() -> None:
    x, y = normal(50, 1), 0.4 * normal(50, 1) + normal(50, 1, seed=6)
    expected = torch.corrcoef(torch.stack([x[:, 0], y[:, 0]]))[0, 1].item() ** 2
    assert cka(x, y).item() == pytest.approx(expected)


def test_independent_representations_read_about_zero() -> None:
    x, y = normal(4000, 8), normal(4000, 8, seed=7)
    assert 0 < cka(x, y).item() < 0.005
    # Few inputs of wide layers look alike to the plain estimate, and not to the unbiased one.
    wide = normal(20, 64), normal(20, 64, seed=8)
    assert cka(*wide).item() > 0.5 > 0.2 > abs(cka(*wide, unbiased=True).item())


@BOTH
def test_layers_of_many_networks_at_once(unbiased: bool) -> None:
    first = {"a": normal(3, 20, 4), "b": normal(3, 20, 6, seed=9)}
    second = {"a": normal(3, 20, 5, seed=10), "b": normal(3, 20, 2, seed=11), "c": normal(3, 20, 3, seed=12)}
    matrix = layer_similarity(first, second, unbiased)
    assert matrix.shape == (3, 2, 3)
    for k, i, j in [(0, 0, 0), (1, 1, 2), (2, 0, 1)]:
        expected = cka(list(first.values())[i][k], list(second.values())[j][k], unbiased)
        assert matrix[k, i, j].item() == pytest.approx(expected.item())


def test_a_layer_that_never_varies_has_no_similarity() -> None:
    assert cka(torch.ones(10, 3), normal(10, 3)).isnan()


def test_mistakes_are_one_line() -> None:
    with pytest.raises(ZoogenError, match="not of the same inputs"):
        cka(normal(10, 3), normal(11, 3))
    with pytest.raises(ZoogenError, match="at least 4 inputs, not 3"):
        cka(normal(3, 3), normal(3, 3), unbiased=True)
