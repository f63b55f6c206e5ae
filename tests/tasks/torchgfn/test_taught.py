"""What torchgfn policies are taught by: states that they visit, and chances beside those that they are judged by."""

import pytest
import torch

from zoogen.config import parse_config
from zoogen.errors import ZoogenError
from zoogen.tasks.torchgfn.config import TorchgfnConfig
from zoogen.tasks.torchgfn.policies import forward_policy, set_weights
from zoogen.tasks.torchgfn.task import TorchgfnTask

pytest.importorskip("gfn")

STRUCTURES = {"4x2": {"ndim": 2, "height": 4, "validate_modes": False}}
TASK = TorchgfnTask(parse_config(TorchgfnConfig, {"kind": "torchgfn", "structures": STRUCTURES}, "test"))


def test_outputs_are_the_chances_of_torchgfns_own_policies() -> None:
    weights, graph = 3 * TASK.untrained("4x2", 3, seed=0), TASK.graph("4x2")
    assert graph is not None
    outputs, env = TASK.outputs("4x2", weights, graph.states), TASK.environment("4x2")
    policy = forward_policy(TASK.config, env)
    for k, row in enumerate(weights):
        set_weights(policy.module, row)
        states = env.states_from_tensor(graph.states.clone())
        with torch.no_grad():
            expected = policy.to_probability_distribution(states, policy(states)).probs
        torch.testing.assert_close(outputs[k].exp(), expected, rtol=1e-4, atol=1e-6)
    own = graph.states.expand(3, *graph.states.shape)
    torch.testing.assert_close(TASK.outputs("4x2", weights, own), outputs)


def test_outputs_have_the_right_gradient() -> None:
    weights = TASK.untrained("4x2", 2, seed=1).double().requires_grad_()
    states = TASK.probe("4x2", weights.detach().float(), 12, seed=0)

    def stops(flat: torch.Tensor) -> torch.Tensor:
        return TASK.outputs("4x2", flat, states)[..., -1].sum()

    (gradient,) = torch.autograd.grad(stops(weights), weights)
    direction = torch.randn(weights.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    slope = (stops(weights + 1e-6 * direction) - stops(weights - 1e-6 * direction)) / 2e-6
    assert (gradient * direction).sum().item() == pytest.approx(slope.item(), rel=1e-5)


def test_probed_states_are_those_that_policies_visit() -> None:
    weights = TASK.untrained("4x2", 4, seed=0)
    stopping = TASK.layout("4x2").unflatten(weights.clone())
    stopping["last_layer.bias"][:, -1] += 50.0
    states = TASK.probe("4x2", TASK.layout("4x2").flatten(stopping), 30, seed=0)
    assert states.shape == (30, 2) and states.eq(0).all()
    wandering = TASK.probe("4x2", weights, 30, seed=0)
    assert torch.equal(wandering, TASK.probe("4x2", weights, 30, seed=0))
    assert len(wandering.unique(dim=0)) > 4 and wandering.max() <= 3
    with pytest.raises(ZoogenError, match="the task torchgfn has no optimum"):
        TASK.probe("4x2", None, 30, seed=0)
