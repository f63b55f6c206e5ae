"""What the audit asks of torchgfn policies: hidden units and distributions."""

import pytest
import torch

from zoogen.config import parse_config
from zoogen.tasks.torchgfn.config import TorchgfnConfig
from zoogen.tasks.torchgfn.task import TorchgfnTask
from zoogen.weights.alignment import align, permute

pytest.importorskip("gfn")


def task(**update: object) -> TorchgfnTask:
    structures = {"3x2": {"ndim": 2, "height": 3, "validate_modes": False}}
    mapping = {"kind": "torchgfn", "structures": structures, **update}
    return TorchgfnTask(parse_config(TorchgfnConfig, mapping, "test"))


@pytest.mark.parametrize("hidden_layers", [1, 3])
def test_renumbering_hidden_units_leaves_the_distribution(hidden_layers: int) -> None:
    subject = task(network={"hidden": 16, "hidden_layers": hidden_layers})
    weights = subject.untrained("3x2", 3, 0) * 3  # far from uniform
    layout, groups = subject.layout("3x2"), subject.symmetries("3x2")
    assert [group.size for group in groups] == [16] * hidden_layers
    moved = weights
    for group in groups:
        order = torch.randperm(group.size, generator=torch.Generator().manual_seed(1))
        moved = permute(moved, layout, group, order)
    before, after = subject.behaviour("3x2", weights), subject.behaviour("3x2", moved)
    assert before is not None and after is not None and before.shape == (3, 9)
    assert not torch.equal(moved, weights)
    torch.testing.assert_close(after, before, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(before.sum(1), torch.ones(3))
    assert torch.equal(align(moved, weights, layout, groups), weights)


def test_behaviour_is_none_where_states_are_too_many() -> None:
    subject = task(exact_states=8)
    assert subject.behaviour("3x2", subject.untrained("3x2", 1, 0)) is None
