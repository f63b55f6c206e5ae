"""M three-layer perceptrons of one shape, stacked, with a hand-written backward pass.

Hundreds of tiny networks at once are bound by dispatch, not by arithmetic: one batched product per
layer over all M networks, no autograd graph, and all parameters in one contiguous tensor so that
the optimiser is a handful of element-wise operations.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu

from zoogen.networks.workspace import Workspace
from zoogen.seeds import seeded_generator
from zoogen.weights.layout import ParameterLayout


@dataclass(frozen=True)
class MLPShape:
    """MLP-3: inputs → hidden → hidden → outputs with LeakyReLU (GenFlowNet §3.1)."""

    inputs: int
    hidden: int
    outputs: int
    slope: float = 0.01

    @property
    def layout(self) -> ParameterLayout:
        """Flat layout in `torch.nn.Linear`'s convention, weights [out, in]."""
        i, h, o = self.inputs, self.hidden, self.outputs
        return ParameterLayout.of(
            {
                "dense1.weight": (h, i),
                "dense1.bias": (h,),
                "dense2.weight": (h, h),
                "dense2.bias": (h,),
                "dense3.weight": (o, h),
                "dense3.bias": (o,),
            }
        )

    def initial(self, seeds: list[int]) -> Tensor:
        """PyTorch's default initialisation of `Linear`, U(±1/√in), one network per seed; [M, D] float32."""
        fan_in = {"dense1": self.inputs, "dense2": self.hidden, "dense3": self.hidden}
        networks = []
        for seed in seeds:
            generator = seeded_generator(seed)
            parts = [
                (torch.rand(entry.size, generator=generator) * 2 - 1) / math.sqrt(fan_in[entry.name.split(".")[0]])
                for entry in self.layout.entries
            ]
            networks.append(torch.cat(parts))
        return torch.stack(networks)


@dataclass(frozen=True)
class Activations:
    """What the backward pass needs: hidden activations after LeakyReLU, each [M, R, H]."""

    hidden1: Tensor
    hidden2: Tensor


class StackedMLP:
    """Parameters of M networks in one tensor [M, rows, H], and views of it by layer.

    Rows: first layer transposed [inputs, H], its bias, second layer transposed [H, H], its bias,
    third layer [outputs, H], its bias padded to whole rows. `gradient` has the same form.
    """

    def __init__(self, shape: MLPShape, flat: Tensor) -> None:
        """From flat weights [M, D] in the order of `shape.layout`."""
        self.shape = shape
        self.count = flat.shape[0]
        bias_rows = -(-shape.outputs // shape.hidden)
        rows = shape.inputs + 1 + shape.hidden + 1 + shape.outputs + bias_rows
        self.parameters = torch.zeros(self.count, rows, shape.hidden, device=flat.device)
        self.gradient = torch.zeros_like(self.parameters)
        self._workspace = Workspace(flat.device)
        self.w1, self.b1, self.w2, self.b2, self.w3, self.b3 = self._views(self.parameters)
        self._gradients = self._views(self.gradient)
        self.load(flat)

    def _views(self, stacked: Tensor) -> tuple[Tensor, ...]:
        i, h, o = self.shape.inputs, self.shape.hidden, self.shape.outputs
        bias3 = stacked[:, i + h + o + 2 :].flatten(1)[:, :o].unsqueeze(1)
        return (
            stacked[:, :i],
            stacked[:, i : i + 1],
            stacked[:, i + 1 : i + 1 + h],
            stacked[:, i + h + 1 : i + h + 2],
            stacked[:, i + h + 2 : i + h + 2 + o],
            bias3,
        )

    def load(self, flat: Tensor) -> None:
        """Set all parameters from flat weights [M, D]."""
        tensors = self.shape.layout.unflatten(flat)
        self.w1.copy_(tensors["dense1.weight"].transpose(1, 2))
        self.b1.copy_(tensors["dense1.bias"].unsqueeze(1))
        self.w2.copy_(tensors["dense2.weight"].transpose(1, 2))
        self.b2.copy_(tensors["dense2.bias"].unsqueeze(1))
        self.w3.copy_(tensors["dense3.weight"])
        self.b3.copy_(tensors["dense3.bias"].unsqueeze(1))

    def flat(self, gradient: bool = False) -> Tensor:
        """Flat weights (or gradients) [M, D] in the order of `shape.layout`, a copy."""
        w1, b1, w2, b2, w3, b3 = self._gradients if gradient else self._views(self.parameters)
        return self.shape.layout.flatten(
            {
                "dense1.weight": w1.transpose(1, 2),
                "dense1.bias": b1.squeeze(1),
                "dense2.weight": w2.transpose(1, 2),
                "dense2.bias": b2.squeeze(1),
                "dense3.weight": w3,
                "dense3.bias": b3.squeeze(1),
            }
        )

    def forward(self, inputs: Tensor) -> tuple[Tensor, Activations]:
        """Outputs [M, R, outputs] and activations for inputs [M, R, inputs]."""
        hidden1 = leaky_relu(torch.baddbmm(self.b1, inputs, self.w1), self.shape.slope)
        hidden2 = leaky_relu(torch.baddbmm(self.b2, hidden1, self.w2), self.shape.slope)
        return torch.baddbmm(self.b3, hidden2, self.w3.transpose(1, 2)), Activations(hidden1, hidden2)

    def backward(self, inputs: Tensor, activations: Activations, grad: Tensor) -> None:
        """Set `gradient` from ∂loss/∂outputs `grad` [M, R, outputs] (replaces, does not accumulate)."""
        slope, (g1, gb1, g2, gb2, g3, gb3) = self.shape.slope, self._gradients
        h1, h2 = activations.hidden1, activations.hidden2
        torch.bmm(grad.transpose(1, 2), h2, out=g3)
        torch.sum(grad, 1, keepdim=True, out=gb3)
        # slope > 0, so the sign of the activation tells the sign of its input
        grad2 = torch.bmm(grad, self.w3, out=self._workspace.take("grad2", h2.shape))
        torch.ops.aten.leaky_relu_backward.grad_input(grad2, h2, slope, True, grad_input=grad2)
        torch.bmm(h1.transpose(1, 2), grad2, out=g2)
        torch.sum(grad2, 1, keepdim=True, out=gb2)
        grad1 = torch.bmm(grad2, self.w2.transpose(1, 2), out=self._workspace.take("grad1", h1.shape))
        torch.ops.aten.leaky_relu_backward.grad_input(grad1, h1, slope, True, grad_input=grad1)
        torch.bmm(inputs.transpose(1, 2), grad1, out=g1)
        torch.sum(grad1, 1, keepdim=True, out=gb1)
