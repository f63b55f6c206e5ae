import pytest
import torch

from zoogen.errors import ZoogenError
from zoogen.networks.stacked_mlp import StackedMLP
from zoogen.tasks.hypergrid.config import HypergridConfig
from zoogen.tasks.hypergrid.judge import ExactJudge, grid_levels
from zoogen.tasks.hypergrid.task import HypergridTask

TASK = HypergridTask(HypergridConfig())


def test_outputs_are_the_judges_chances() -> None:
    environment, shape = TASK.environment("4^3"), TASK.shape("4^3")
    weights = TASK.untrained("4^3", 3, seed=1)
    judge = ExactJudge(environment, shape)
    states = grid_levels(environment.structure).states.long()
    expected = judge._chances(StackedMLP(shape, weights), states)
    torch.testing.assert_close(TASK.outputs("4^3", weights, states).exp().double(), expected, rtol=1e-4, atol=1e-6)


def test_networks_may_have_inputs_of_their_own() -> None:
    weights = TASK.untrained("5^2", 2, seed=0)
    inputs = TASK.probe("5^2", weights, 12, seed=0).view(2, 6, 2)
    own = TASK.outputs("5^2", weights, inputs)
    for k in range(2):
        torch.testing.assert_close(own[k], TASK.outputs("5^2", weights[k : k + 1], inputs[k])[0])


def test_outputs_have_the_right_gradient() -> None:
    weights = TASK.untrained("3^2", 2, seed=4).double().requires_grad_()
    inputs = torch.cartesian_prod(torch.arange(3), torch.arange(3))
    choice = torch.tensor([1, 2, 2, 1, 2, 2, 2, 2, 2])  # allowed in every state

    def chosen(flat: torch.Tensor) -> torch.Tensor:
        return TASK.outputs("3^2", flat, inputs)[:, torch.arange(9), choice].sum()

    (gradient,) = torch.autograd.grad(chosen(weights), weights)
    direction = torch.randn(weights.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    slope = (chosen(weights + 1e-6 * direction) - chosen(weights - 1e-6 * direction)) / 2e-6
    assert (gradient * direction).sum().item() == pytest.approx(slope.item(), rel=1e-5)


@pytest.mark.parametrize("grid", ["3^3", "9^2", "4^1"])
def test_tokens_hold_every_weight_once(grid: str) -> None:
    tokens, weights = TASK.tokens(grid), TASK.untrained(grid, 2, seed=0)
    assert torch.equal(tokens.scatter(tokens.gather(weights)), weights)
    assert len(tokens.features.unique(dim=0)) == len(tokens)


def test_an_inputs_column_is_a_token() -> None:
    tokens, weights = TASK.tokens("5^2"), TASK.untrained("5^2", 1, seed=0)
    dense1 = TASK.layout("5^2").unflatten(weights)["dense1.weight"][0]
    torch.testing.assert_close(tokens.gather(weights)[0, 7, :-1], dense1[:, 7])


def test_coordinates_of_interchangeable_dimensions_differ_in_their_number_alone() -> None:
    features = TASK.tokens("6^3").features
    different = (features[:6] != features[6:12]).any(0).nonzero().flatten().tolist()
    assert len(different) == 2
    assert torch.equal(features[:6, different].flip(1), features[6:12, different])


def test_too_many_dimensions_name_the_limit() -> None:
    with pytest.raises(ZoogenError, match="2\\^13 has 13 dimensions, .* at most 12"):
        TASK.tokens("2^13")


def test_renumbering_dimensions_does_not_change_what_a_policy_does() -> None:
    """The symmetry that coordinates leave open: columns and increments renumbered together."""
    weights = TASK.untrained("4^3", 1, seed=2)
    tensors = {name: tensor.clone() for name, tensor in TASK.layout("4^3").unflatten(weights).items()}
    order = torch.tensor([2, 0, 1])
    tensors["dense1.weight"] = tensors["dense1.weight"].view(1, 32, 3, 4)[:, :, order].flatten(2)
    rows = torch.cat([order, torch.tensor([3])])
    tensors["dense3.weight"], tensors["dense3.bias"] = (
        tensors["dense3.weight"][:, rows],
        tensors["dense3.bias"][:, rows],
    )
    renumbered = TASK.layout("4^3").flatten(tensors)
    before, after = (TASK.score("4^3", w).groups["exact"].values["js"] for w in (weights, renumbered))
    torch.testing.assert_close(before, after, rtol=1e-5, atol=1e-7)


def test_a_style_means_the_same_in_every_grid() -> None:
    small, large = (TASK.layout(g).unflatten(TASK.aligned(g, [3, 4])) for g in ("5^2", "9^4"))
    assert torch.equal(small["dense2.weight"], large["dense2.weight"])
    assert torch.equal(small["dense3.weight"][:, :2], large["dense3.weight"][:, :2])
    assert torch.equal(small["dense3.weight"][:, -1], large["dense3.weight"][:, -1])
    # levels at the same share of the way have the same column, but for the size that follows n
    columns = small["dense1.weight"].view(2, 32, 2, 5), large["dense1.weight"].view(2, 32, 4, 9)
    torch.testing.assert_close(columns[0] * 2**0.5, columns[1][:, :, :2, ::2] * 4**0.5)
    assert not torch.equal(small["dense2.weight"][0], small["dense2.weight"][1])


def test_probed_states_are_mostly_those_that_policies_visit() -> None:
    weights = TASK.untrained("6^2", 4, seed=0)
    shape = TASK.shape("6^2")
    tensors = {name: tensor.clone() for name, tensor in shape.layout.unflatten(weights).items()}
    tensors["dense3.bias"][:, 2] += 50.0  # always stop
    states = TASK.probe("6^2", shape.layout.flatten(tensors), 1000, seed=0)
    assert (states == 0).all(1).float().mean().item() == pytest.approx(0.7 + 0.3 / 36, abs=0.03)


def test_optimal_choices_are_those_of_a_perfect_sampler() -> None:
    inputs = TASK.probe("5^2", None, 200, seed=0)
    choices = TASK.optimal("5^2", inputs)
    torch.testing.assert_close(choices.sum(1), torch.ones(200))
