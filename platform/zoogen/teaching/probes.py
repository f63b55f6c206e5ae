"""Inputs at which networks of several structures are compared with others of the same structure."""

from collections.abc import Sequence

import torch
from torch import Tensor

from zoogen.identity import derive_seed
from zoogen.tasks.base import Task
from zoogen.teaching.lessons import divergence
from zoogen.zoo.read import CheckpointSet

_NETWORKS = 64  # checkpoints that inputs are taken from, at most, evenly spread


class Probes:
    """Inputs of every structure (`Task.probe`), drawn once.

    Args:
        task: whose networks they are.
        sets: checkpoints by structure, of whose inputs they are.
        count: inputs kept of each structure.
        seed: draws them.
        device: where networks are compared.
    """

    def __init__(
        self, task: Task, sets: Sequence[CheckpointSet], count: int, seed: int, device: str | torch.device = "cpu"
    ):
        self.task = task
        self.inputs = {}
        for rows in sets:
            name, spread = rows.target.structure, -(-len(rows.weights) // _NETWORKS)
            probed = task.probe(name, rows.weights[::spread], count, derive_seed(seed, "probes", name), str(device))
            self.inputs[name] = probed.to(device)

    def divergences(
        self, structure: str, teachers: Tensor, networks: Tensor, count: int, generator: torch.Generator
    ) -> Tensor:
        """KL(teacher ‖ network) in nats of networks [K, D] from theirs [K, D], means over `count` inputs, [K];
        differentiable in the networks."""
        inputs = self.inputs[structure]
        drawn = torch.randint(len(inputs), (count,), generator=generator, device=inputs.device)
        with torch.no_grad():
            choices = self.task.outputs(structure, teachers, inputs[drawn]).exp()
        return divergence(choices, self.task.outputs(structure, networks, inputs[drawn])).mean(1)
