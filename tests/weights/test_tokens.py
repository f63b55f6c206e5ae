import pytest
import torch

from zoogen.weights.layout import ParameterLayout
from zoogen.weights.tokens import WeightTokens, row_tokens


@pytest.mark.parametrize("width", [1, 3, 64])
def test_every_weight_lies_in_one_token_and_comes_back(width: int) -> None:
    layout = ParameterLayout.of({"conv": (4, 3, 2), "bias": (4,), "scale": (1,)})
    tokens = row_tokens(layout, width)
    assert sorted(tokens.index[tokens.index >= 0].tolist()) == list(range(layout.size))
    weights = torch.randn(5, layout.size)
    assert torch.equal(tokens.scatter(tokens.gather(weights)), weights)


def test_a_row_is_a_token_where_it_fits() -> None:
    layout = ParameterLayout.of({"dense": (3, 4), "bias": (3,)})
    tokens = row_tokens(layout, 4)
    weights = torch.arange(float(layout.size))[None]
    assert tokens.gather(weights)[0].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 0]]


def test_coordinates_tell_all_tokens_apart() -> None:
    tokens = row_tokens(ParameterLayout.of({"a": (7, 9), "b": (7, 9), "c": (2,)}), 4)
    assert len(tokens.features.unique(dim=0)) == len(tokens)


def test_gradients_go_through_scatter() -> None:
    tokens = WeightTokens(torch.tensor([[2, 0], [1, -1]]), torch.zeros(2, 1))
    values = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]], requires_grad=True)
    flat = tokens.scatter(values)
    assert flat.tolist() == [[2.0, 3.0, 1.0]]
    (flat * torch.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert values.grad is not None
    assert values.grad.tolist() == [[[100.0, 1.0], [10.0, 0.0]]]
