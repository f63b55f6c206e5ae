"""What the network from sources to weights learns: that its networks do what the teacher does, and differ."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from zoogen.generators.base import LossAndFigures
from zoogen.generators.source.network import SourceNetwork
from zoogen.generators.source.sources import Sources
from zoogen.tasks.taught import TaughtTask
from zoogen.teaching.lessons import Lessons, divergence


@dataclass(frozen=True)
class TaughtStructure:
    """A structure with its lessons, in the plain arrangement and in others (`Task.tokens`)."""

    lessons: Lessons
    sources: tuple[Sources, ...]

    def to(self, device: str | torch.device) -> "TaughtStructure":
        return TaughtStructure(self.lessons.to(device), tuple(s.to(device) for s in self.sources))


@dataclass(frozen=True)
class Draw:
    """Networks of one structure that an iteration looks at.

    Attributes:
        structure: place among those taught.
        arrangement: place among its sources.
        numbers: of the networks' sources, [K, S].
        rows: places of the inputs at which each is looked at, [K, B].
    """

    structure: int
    arrangement: int
    numbers: Tensor
    rows: Tensor


class SourceObjective(nn.Module):
    """KL of the teacher's choices from those of generated networks, averaged over inputs, networks and structures, and
    the square of what a structure's networks lack of the wanted distance from each other.

    Behaviour alone would not keep networks of different sources apart: nothing in it minds if all are the same one.

    Args:
        network: what learns.
        task: knows what networks do.
        taught: the structures.
        diversity: least distance of two networks of a structure, in units of their root mean square norm.
    """

    def __init__(self, network: SourceNetwork, task: TaughtTask, taught: Sequence[TaughtStructure], diversity: float):
        super().__init__()
        self.network, self.task, self.taught, self.diversity = network, task, taught, diversity

    def forward(self, draws: Sequence[Draw], generator: torch.Generator) -> LossAndFigures:
        sources = [self.taught[draw.structure].sources[draw.arrangement] for draw in draws]
        starts = [source.drawn(draw.numbers) for source, draw in zip(sources, draws, strict=True)]
        made = self.network([source.tokens.features for source in sources], starts)
        behaviour, lacking, distances = [], [], []
        for draw, source, tokens in zip(draws, sources, made, strict=True):
            lessons = self.taught[draw.structure].lessons
            outputs = self.task.outputs(
                lessons.target.structure, source.tokens.scatter(tokens), lessons.inputs[draw.rows]
            )
            behaviour.append(divergence(lessons.choices[draw.rows], outputs).mean())
            if len(tokens) > 1:
                distance = relative_distance(tokens[::2][: len(tokens) // 2], tokens[1::2])
                lacking.append(relu(self.diversity - distance).square().mean())
                distances.append(distance.mean())
        taught = torch.stack(behaviour).mean()
        if not lacking:
            return taught, {"divergence": taught}
        figures = {"divergence": taught, "distance": torch.stack(distances).mean()}
        return taught + torch.stack(lacking).mean(), figures


def relative_distance(first: Tensor, second: Tensor) -> Tensor:
    """Distances of networks [K, T, W] pair by pair, in units of the root mean square of their norms, [K]."""
    squares = ((first - second) ** 2).flatten(1).sum(1)
    norms = (first**2 + second**2).flatten(1).sum(1) / 2
    return (squares / norms + 1e-12).sqrt()  # the root of 0 has no gradient
