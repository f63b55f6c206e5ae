"""Stacked networks against `torch.nn` and autograd."""

import torch
from torch import nn

from zoogen.networks.stacked_mlp import MLPShape, StackedMLP
from zoogen.networks.workspace import Workspace

SHAPE = MLPShape(inputs=10, hidden=8, outputs=3, slope=0.05)


def reference(flat: torch.Tensor) -> nn.Sequential:
    """The same network in `torch.nn`."""
    network = nn.Sequential(
        nn.Linear(10, 8), nn.LeakyReLU(SHAPE.slope), nn.Linear(8, 8), nn.LeakyReLU(SHAPE.slope), nn.Linear(8, 3)
    )
    tensors = SHAPE.layout.unflatten(flat)
    network.load_state_dict(
        {f"{2 * i}.{part}": tensors[f"dense{i + 1}.{part}"] for i in range(3) for part in ("weight", "bias")}
    )
    return network


def test_outputs_and_gradients_equal_torch_nn() -> None:
    flat = SHAPE.initial([1, 2, 3])
    stacked = StackedMLP(SHAPE, flat)
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(3, 7, 10, generator=generator)
    pull = torch.randn(3, 7, 3, generator=generator)
    outputs, activations = stacked.forward(inputs)
    stacked.backward(inputs, activations, pull)
    gradients = SHAPE.layout.unflatten(stacked.flat(gradient=True))
    for k in range(3):
        network = reference(flat[k])
        expected = network(inputs[k])
        expected.backward(pull[k])
        torch.testing.assert_close(outputs[k], expected)
        for i in range(3):
            layer = network[2 * i]
            torch.testing.assert_close(gradients[f"dense{i + 1}.weight"][k], layer.weight.grad)
            torch.testing.assert_close(gradients[f"dense{i + 1}.bias"][k], layer.bias.grad)


def test_flat_weights_survive_stacking() -> None:
    flat = SHAPE.initial([4, 5])
    assert torch.equal(StackedMLP(SHAPE, flat).flat(), flat)


def test_wide_output_layers_keep_their_bias() -> None:
    shape = MLPShape(inputs=4, hidden=2, outputs=5)  # the bias needs three rows of width 2
    flat = shape.initial([0])
    assert torch.equal(StackedMLP(shape, flat).flat(), flat)


def test_initialisation_is_pytorchs_in_distribution_and_depends_on_the_seed_alone() -> None:
    weights = SHAPE.initial(list(range(400)))
    assert torch.equal(weights[17], SHAPE.initial([17])[0])
    for name, tensor in SHAPE.layout.unflatten(weights).items():
        bound = (10 if name.startswith("dense1") else 8) ** -0.5
        assert tensor.abs().max() <= bound
        # U(−b, b) has variance b²/3
        torch.testing.assert_close(tensor.var(), torch.tensor(bound**2 / 3), rtol=0.1, atol=0)


def test_workspace_hands_out_the_same_memory_again() -> None:
    workspace = Workspace(torch.device("cpu"))
    first = workspace.take("a", (4, 5))
    assert workspace.take("a", (2, 3)).data_ptr() == first.data_ptr()
    assert workspace.take("b", (4, 5)).data_ptr() != first.data_ptr()
    assert workspace.take("a", (6, 7)).shape == (6, 7)
