"""A task in small whose networks are right or wrong about images, with errors that can be counted by hand."""

import torch
from tests.fakes import FakeTask
from torch import Tensor

from zoogen.evaluation.sources import TracedGenerator
from zoogen.tasks.records import MetricGroup, Scores
from zoogen.weights.target import Target

IMAGES = 60  # of each split


class ErrorTask(FakeTask):
    """Networks of D weights answer IMAGES fixed questions per split: right where a random direction of the image
    leaves the distance from the optimum below a threshold of the image."""

    name = "errors"

    def label(self, structure: str) -> str:
        return f"net{self.canonical(structure)}@digits"

    def wrong(self, structure: str, weights: Tensor, split: str) -> Tensor:
        """Whether each network [K, D] is wrong about each image, [K, IMAGES] bool."""
        generator = torch.Generator().manual_seed({"validation": 1, "test": 2}[split])
        directions = torch.randn(self.layout(structure).size, IMAGES, generator=generator)
        thresholds = torch.linspace(-0.2, 2.0, IMAGES)
        return (weights - self.optimum(structure)) @ directions > thresholds

    def score(self, structure: str, weights: Tensor, *, seed: int = 0, device: str = "cpu") -> Scores:
        groups = {}
        for split in ("test", "validation"):
            error = self.wrong(structure, weights, split).double().mean(1)
            groups[split] = MetricGroup({"error": error, "loss": 2 * error}, {}, {"images": IMAGES})
        return Scores(structure, groups)

    def behaviour(self, structure: str, weights: Tensor, device: str = "cpu") -> Tensor:
        return self.wrong(structure, weights, "test").float()

    def behaviour_distances(self, first: Tensor, second: Tensor, device: str = "cpu") -> Tensor:
        both = first.double() @ second.double().T
        either = first.sum(1, dtype=torch.float64)[:, None] + second.sum(1, dtype=torch.float64)[None] - both
        return 1 - torch.where(either > 0, both / either.clamp_min(1), 1.0)

    @property
    def primary_metrics(self) -> tuple[str, ...]:
        return ("test.error",)

    @property
    def selection_metrics(self) -> tuple[str, ...]:
        return ("validation.error",)


class HalvingNoise:
    """Generates from a wide normal distribution around the optimum and halves the distance in each of 4 steps."""

    STEPS = 4

    def __init__(self, task: FakeTask) -> None:
        self.task = task

    def generate(self, target: Target, count: int, seed: int, device: str) -> Tensor:
        return self.trajectory(target, count, seed, 2, device)[-1][1]

    def trajectory(self, target: Target, count: int, seed: int, points: int, device: str) -> list[tuple[int, Tensor]]:
        noise = torch.randn(count, target.layout.size, generator=torch.Generator().manual_seed(seed % 2**63))
        steps = sorted({round(self.STEPS * i / (points - 1)) for i in range(points)})
        return [(step, self.task.optimum(target.structure) + noise * 0.5**step) for step in steps]


assert isinstance(HalvingNoise(ErrorTask()), TracedGenerator)
