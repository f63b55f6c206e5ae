"""Inputs at which networks of several structures are compared."""

import torch
from torch import Tensor

from zoogen.seeds import seeded_generator
from zoogen.tasks.hypergrid.config import HypergridConfig
from zoogen.tasks.hypergrid.task import HypergridTask
from zoogen.teaching.probes import Probes
from zoogen.zoo.read import CheckpointSet

TASK = HypergridTask(HypergridConfig())


def rows(structure: str, count: int) -> CheckpointSet:
    runs = torch.arange(count)
    return CheckpointSet(TASK.target(structure), TASK.untrained(structure, count, seed=0), runs, runs, {})


def test_divergences_of_single_networks_are_those_of_all_together_and_never_negative() -> None:
    sets = [rows("3^2", 5), rows("4^2", 3)]
    probes = Probes(TASK, sets, count=40, seed=0)
    assert [probes.inputs[found.target.structure].shape for found in sets] == [(40, 2), (40, 2)]
    for found in sets:
        name, weights = found.target.structure, found.weights
        both = probes.divergences(name, weights, weights.roll(1, 0), 30, seeded_generator(1))
        assert both.shape == (len(weights),) and (both > 0).all()
        for k, mine in enumerate(weights):
            other = weights.roll(1, 0)[k : k + 1]
            alone = probes.divergences(name, mine[None], other, 30, seeded_generator(1))
            torch.testing.assert_close(alone[0], both[k])
        same = probes.divergences(name, weights, weights, 30, seeded_generator(1))
        torch.testing.assert_close(same, torch.zeros(len(weights)), atol=1e-6, rtol=0)


def test_gradients_reach_the_networks_and_not_the_teachers() -> None:
    found = rows("3^2", 2)
    probes = Probes(TASK, [found], count=20, seed=0)
    teachers, networks = found.weights.clone().requires_grad_(), (1.5 * found.weights).requires_grad_()
    probes.divergences(found.target.structure, teachers, networks, 10, seeded_generator(0)).sum().backward()
    assert teachers.grad is None
    assert networks.grad is not None and networks.grad.abs().sum() > 0


def test_inputs_are_those_of_networks_spread_over_all_checkpoints() -> None:
    asked: list[Tensor] = []

    class Watched(HypergridTask):
        def probe(self, structure: str, weights: Tensor | None, count: int, seed: int, device: str = "cpu") -> Tensor:
            assert weights is not None
            asked.append(weights)
            return super().probe(structure, weights, count, seed, device)

    many = rows("3^2", 150)
    Probes(Watched(HypergridConfig()), [many], count=10, seed=0)
    assert torch.equal(asked[0], many.weights[::3])
