"""What networks are to do: inputs of a structure, and a teacher's choices there.

A model that writes weights is taught by behaviour with them: the Kullback-Leibler divergence of what its networks
choose from what the teacher chooses. Nothing in it asks that weights be like the teacher's.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.tasks.base import Task
from zoogen.weights.target import Target
from zoogen.zoo.read import CheckpointSet

_ROWS_AT_ONCE = 64  # checkpoints whose outputs are held at once


@dataclass(frozen=True)
class Lessons:
    """Inputs of one structure with a teacher's choices.

    Attributes:
        target: the structure.
        inputs: [P, ...], in random order.
        choices: the teacher's probabilities, [P, A] float32.
    """

    target: Target
    inputs: Tensor
    choices: Tensor

    def __len__(self) -> int:
        return len(self.inputs)

    def to(self, device: str | torch.device) -> "Lessons":
        return Lessons(self.target, self.inputs.to(device), self.choices.to(device))


def lessons_of_zoo(task: Task, checkpoints: CheckpointSet, count: int, seed: int, device: str = "cpu") -> Lessons:
    """`count` inputs, and the mean of what the checkpoints choose there.

    The divergence from the mean has the gradient of the mean of divergences from each, and errors of single
    checkpoints cancel in it.
    """
    target, weights = checkpoints.target, checkpoints.weights
    inputs = task.probe(target.structure, weights, count, seed, device)
    total = torch.zeros(())
    with torch.no_grad():
        for part in weights.split(_ROWS_AT_ONCE):
            total = total + task.outputs(target.structure, part.to(device), inputs.to(device)).exp().sum(0).cpu()
    return Lessons(target, inputs.cpu(), total / len(weights))


def lessons_of_optimum(task: Task, target: Target, count: int, seed: int) -> Lessons:
    """`count` inputs, and what a perfect network chooses there.

    Raises:
        ZoogenError: the task knows no perfect network.
    """
    inputs = task.probe(target.structure, None, count, seed)
    choices = task.optimal(target.structure, inputs)
    if choices is None:
        raise ZoogenError(f"the task {task.name} knows no optimum to learn from; take the zoo as teacher")
    return Lessons(target, inputs, choices)


def divergence(choices: Tensor, outputs: Tensor) -> Tensor:
    """KL(choices ‖ outputs) of probabilities [..., A] from log-probabilities [..., A], nats, [...]."""
    return (torch.xlogy(choices, choices) - choices * outputs).sum(-1)
