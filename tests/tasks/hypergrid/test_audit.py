"""What the audit asks of hypergrid policies: hidden units, distributions, activations, moves between grids."""

import pytest
import torch
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.tasks.hypergrid.behaviour import corresponding_states
from zoogen.tasks.hypergrid.config import HypergridConfig, JudgeConfig
from zoogen.tasks.hypergrid.interop import PolicyMLP
from zoogen.tasks.hypergrid.judge import ExactJudge
from zoogen.tasks.hypergrid.structure import HypergridStructure
from zoogen.tasks.hypergrid.task import HypergridTask
from zoogen.tasks.hypergrid.transfer import corresponding_actions, corresponding_columns
from zoogen.weights.alignment import align, permute

TASK = HypergridTask(HypergridConfig())


def policies(structure: str, count: int = 3, scale: float = 3.0) -> Tensor:
    return TASK.untrained(structure, count, 0) * scale  # far from uniform


@pytest.mark.parametrize("structure", ["E*", "4^3"])
def test_renumbering_hidden_units_leaves_the_distribution(structure: str) -> None:
    weights = policies(structure)
    before = TASK.behaviour(structure, weights)
    layout, groups = TASK.layout(structure), TASK.symmetries(structure)
    assert [(group.name, group.size) for group in groups] == [("hidden1", 32), ("hidden2", 32)]
    moved = weights
    for group in groups:
        order = torch.randperm(group.size, generator=torch.Generator().manual_seed(1))
        moved = permute(moved, layout, group, order)
        assert (moved != weights).float().mean() > 0.5
        after = TASK.behaviour(structure, moved)
        assert before is not None and after is not None
        torch.testing.assert_close(after, before, atol=1e-6, rtol=1e-4)
    assert torch.equal(align(moved, weights, layout, groups), weights)


def test_behaviour_is_the_exact_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = policies("5^2", count=7)
    expected = ExactJudge(TASK.environment("5^2"), TASK.shape("5^2")).distribution(weights)
    monkeypatch.setattr("zoogen.tasks.hypergrid.behaviour._VALUES_AT_ONCE", 60)  # two policies at a time
    found = TASK.behaviour("5^2", weights)
    assert found is not None and found.dtype == torch.float32
    torch.testing.assert_close(found, expected.float())
    torch.testing.assert_close(found.sum(1), torch.ones(7))
    truth = ExactJudge(TASK.environment("5^2"), TASK.shape("5^2")).truth()
    total_variation = TASK.behaviour_distances(found, truth.unsqueeze(0))[:, 0]
    torch.testing.assert_close(total_variation, TASK.score("5^2", weights).metric("exact.tv"), atol=1e-6, rtol=1e-5)


def test_behaviour_is_none_where_it_would_not_fit() -> None:
    assert TASK.behaviour("7^7", TASK.untrained("7^7", 1, 0)) is None  # 823,543 states
    small = HypergridTask(HypergridConfig(judge=JudgeConfig(memory_gib=0.001)))
    assert small.behaviour("16^4", small.untrained("16^4", 1, 0)) is None  # the judge does not fit
    tight = HypergridTask(HypergridConfig(judge=JudgeConfig(memory_gib=0.05)))
    assert tight.behaviour("9^4", policies("9^4", 1)) is not None
    many = policies("9^4", 1).expand(3000, -1)  # 3,000 x 6,561 numbers are 75 MiB
    assert tight.behaviour("9^4", many) is None


def test_policies_are_chosen_by_samples_and_reported_exactly() -> None:
    assert TASK.selection_metrics == ("sampled.js", "exact.js")
    scores = TASK.score("3^2", policies("3^2"))
    assert set(TASK.selection_metrics) <= set(scores.flat())
    assert TASK.primary_metrics[0] == "exact.js"


def test_transfer_to_itself_is_the_identity() -> None:
    for structure in ("A*", "F*", "6^6"):
        weights = policies(structure)
        assert torch.equal(TASK.transfer(weights, structure, structure), weights)


def test_transfer_carries_over_what_a_weight_stands_for() -> None:
    source, target = HypergridStructure(5, 2), HypergridStructure(9, 3)
    weights = policies("5^2")
    moved = TASK.transfer(weights, "5^2", "9^3")
    assert moved.shape == (3, TASK.layout("9^3").size)
    before, after = TASK.layout("5^2").unflatten(weights), TASK.layout("9^3").unflatten(moved)
    first, last = before["dense1.weight"], after["dense1.weight"]
    # ends meet ends, the middle the middle; 1/8 of 4 steps is half a step and goes up; dimension 2 comes from 0
    for (i, j), (i_source, j_source) in {
        (0, 0): (0, 0),
        (1, 8): (1, 4),
        (0, 4): (0, 2),
        (1, 1): (1, 1),
        (2, 2): (0, 1),
        (2, 3): (0, 2),
    }.items():
        assert torch.equal(last[:, :, i * 9 + j], first[:, :, i_source * 5 + j_source])
    for i, i_source in enumerate((0, 1, 0, 2)):  # three increments, then stop
        assert torch.equal(after["dense3.weight"][:, i], before["dense3.weight"][:, i_source])
        assert torch.equal(after["dense3.bias"][:, i], before["dense3.bias"][:, i_source])
    for name in ("dense1.bias", "dense2.weight", "dense2.bias"):
        assert torch.equal(after[name], before[name])
    # fewer dimensions and levels: the first ones, spread evenly
    assert corresponding_columns(target, HypergridStructure(3, 1)).tolist() == [0, 4, 8]
    assert corresponding_actions(target, source).tolist() == [0, 1, 3]
    assert corresponding_actions(source, target).tolist() == [0, 1, 0, 2]


def test_a_transferred_policy_acts_alike_on_a_grid_of_twice_the_steps() -> None:
    """5 levels lie at every second of 9: at those states the logits are equal."""
    weights = policies("5^2", count=1)
    moved = TASK.transfer(weights, "5^2", "9^2")
    small = PolicyMLP(TASK.shape("5^2"), weights[0])
    large = PolicyMLP(TASK.shape("9^2"), moved[0])
    states = torch.cartesian_prod(torch.arange(5), torch.arange(5))
    before = small(torch.nn.functional.one_hot(states, 5).flatten(1))
    after = large(torch.nn.functional.one_hot(2 * states, 9).flatten(1))
    torch.testing.assert_close(after, before)


def test_transfer_refuses_other_weights() -> None:
    with pytest.raises(ZoogenError, match="length"):
        TASK.transfer(policies("3^3"), "4^3", "5^3")


def test_activations_equal_a_torch_networks() -> None:
    weights = policies("6^3", count=4)
    found = TASK.activations("6^3", weights, 25, seed=3)
    states = corresponding_states(HypergridStructure(6, 3), 25, 3)
    inputs = torch.nn.functional.one_hot(states, 6).flatten(1).float()
    assert {name: tuple(tensor.shape) for name, tensor in found.items()} == {
        "dense1": (4, 25, 32),
        "dense2": (4, 25, 32),
        "dense3": (4, 25, 4),
    }
    for k, row in enumerate(weights):
        network = PolicyMLP(TASK.shape("6^3"), row)
        first = network.activation(network.dense1(inputs))
        second = network.activation(network.dense2(first))
        for name, expected in (("dense1", first), ("dense2", second), ("dense3", network(inputs))):
            torch.testing.assert_close(found[name][k], expected, atol=1e-5, rtol=1e-5)


def test_states_correspond_between_grids() -> None:
    fine = corresponding_states(HypergridStructure(12, 3), 4000, 7)
    coarse = corresponding_states(HypergridStructure(4, 2), 4000, 7)
    assert torch.equal(fine[:, :2] // 3, coarse)  # the same place at a third of the resolution
    assert torch.equal(corresponding_states(HypergridStructure(12, 9), 4000, 7)[:, :3], fine)
    assert not torch.equal(corresponding_states(HypergridStructure(12, 3), 4000, 8), fine)
    shares = torch.bincount(fine.flatten(), minlength=12) / fine.numel()
    torch.testing.assert_close(shares, torch.full((12,), 1 / 12), atol=0.01, rtol=0)  # 1/12 ± 4 standard errors
