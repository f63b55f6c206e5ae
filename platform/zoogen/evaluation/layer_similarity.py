"""Similarity between the layers of networks: policies beside small vision networks (GenFlowNet, Figure 6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.evaluation.cka import layer_similarity
from zoogen.evaluation.layer_similarity_config import SimilarityConfig
from zoogen.evaluation.records import Record, read_record, record_bytes
from zoogen.evaluation.result import Environment, Inputs
from zoogen.evaluation.vision import Digits, Progress, VisionNet, load_digits, vision_net
from zoogen.networks.counts import vision_net_parameters, without_one_output
from zoogen.networks.vision import RESNET_18, RESNET_34
from zoogen.tasks.base import Task
from zoogen.weights.target import Target

# What a pair is: networks of two structures or architectures (the paper's), of one structure, or untrained ones of
# two, which tell how much of the similarity is there before any training.
Group = Literal["policies", "same structure", "vision", "untrained policies", "untrained vision"]
State = Literal["trained", "generated", "untrained"]

FLOOR_OF: Mapping[Group, Group] = {"policies": "untrained policies", "vision": "untrained vision"}


class LayerPair(Record):
    """CKA of every layer of `first` (rows) with every layer of `second` (columns), mean over pairs of networks.

    Attributes:
        group: what is compared.
        networks: pairs of networks that the mean is over.
        values: mean CKA, rows.
        spread: standard deviation over the pairs of networks, rows; zeros for a single one.
    """

    group: Group
    first: str
    second: str
    first_layers: tuple[str, ...]
    second_layers: tuple[str, ...]
    networks: int
    values: tuple[tuple[float, ...], ...]
    spread: tuple[tuple[float, ...], ...]

    @property
    def name(self) -> str:
        return f"{self.first} vs {self.second}"

    @property
    def mean(self) -> float:
        """Mean over all pairs of layers."""
        return float(np.mean(self.values))

    @property
    def variance(self) -> float:
        """Variance over all pairs of layers."""
        return float(np.var(self.values))


class VisionNetRecord(Record):
    """A small vision network that was trained for the comparison."""

    title: str
    parameters: int
    accuracy: float
    seconds: float


class ParameterCount(Record):
    """Learnt parameters of one network.

    Attributes:
        model: what it is, for example `MLP C* (36,12,3,6)`.
        label: a structure's short name, or the architecture's; by this the published number is found.
        parameters: the number.
        one_output_less: the number if the last layer had one output less, where that has a meaning.
    """

    model: str
    label: str
    parameters: int
    one_output_less: int | None = None


class Similarity(Record):
    """All pairs, the vision networks and the parameter counts of a study."""

    inputs: Inputs
    task: dict[str, Any]
    config: SimilarityConfig
    pairs: tuple[LayerPair, ...]
    vision: tuple[VisionNetRecord, ...] = ()
    parameters: tuple[ParameterCount, ...] = ()
    seconds: float = 0.0
    environment: Environment

    def of(self, group: Group) -> tuple[LayerPair, ...]:
        return tuple(pair for pair in self.pairs if pair.group == group)

    def to_json(self) -> str:
        """Sealed (`record_bytes`)."""
        return record_bytes(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes, where: str = "similarity") -> "Similarity":
        """Read what `to_json` wrote.

        Raises:
            DamagedError: as `read_record`.
        """
        return read_record(cls, text, where)


@dataclass(frozen=True)
class Networks:
    """Networks of one structure, [K, D] on the CPU."""

    structure: str
    state: State
    weights: Tensor


def compare_policies(
    task: Task,
    group: Group,
    first: Networks,
    second: Networks,
    config: SimilarityConfig,
    shift: int = 0,
    device: str = "cpu",
) -> LayerPair:
    """Compare the k-th network of `first` with the k-th of `second`, counted on by `shift` and around.

    Raises:
        ZoogenError: the task tells no activations.
    """
    count = min(len(first.weights), len(second.weights), config.networks)
    chosen = first.weights[:count], second.weights[:count].roll(-shift, 0)
    sides = []
    for side, weights in zip((first, second), chosen, strict=True):
        outputs = task.activations(side.structure, weights, config.inputs, config.seed, device)
        if outputs is None:
            raise ZoogenError(f"the task {task.name} tells no activations, so layers cannot be compared")
        sides.append(outputs)
    names = [f"{task.label(side.structure)} {side.state}" for side in (first, second)]
    if shift:
        names[1] += ", other runs"
    return _pair(group, (names[0], names[1]), (sides[0], sides[1]), config.unbiased)


def compare_vision(
    config: SimilarityConfig, device: str = "cpu", progress: Progress | None = None
) -> tuple[list[LayerPair], list[VisionNetRecord]]:
    """Train the small vision networks and compare each with the other of its kind; nothing without `config.vision`."""
    vision = config.vision
    if vision is None:
        return [], []
    digits = load_digits(vision.held_out, config.seed)
    pairs: list[LayerPair] = []
    records: list[VisionNetRecord] = []
    groups: list[Group] = ["vision", "untrained vision"] if config.untrained else ["vision"]
    for group in groups:
        loop = vision.loop if group == "vision" else None
        for kind in (vision.resnets, vision.transformers):
            nets = [vision_net(c, loop, digits, seed=config.seed, device=device, progress=progress) for c in kind]
            pairs.append(_compare_nets(group, nets[0], nets[1], digits, config))
            if loop is not None:
                records += [
                    VisionNetRecord(title=n.title, parameters=n.parameters, accuracy=n.accuracy, seconds=n.seconds)
                    for n in nets
                ]
    return pairs, records


def _compare_nets(
    group: Group, first: VisionNet, second: VisionNet, digits: Digits, config: SimilarityConfig
) -> LayerPair:
    rows = slice(0, min(config.inputs, len(digits.held_out_images)))
    sides = [{name: values[None, rows] for name, values in net.outputs.items()} for net in (first, second)]
    state = "" if group == "vision" else " untrained"
    return _pair(group, (first.title + state, second.title + state), (sides[0], sides[1]), config.unbiased)


def _pair(
    group: Group,
    names: tuple[str, str],
    sides: tuple[Mapping[str, Tensor], Mapping[str, Tensor]],
    unbiased: bool,
) -> LayerPair:
    similarity = layer_similarity(*sides, unbiased=unbiased)
    return LayerPair(
        group=group,
        first=names[0],
        second=names[1],
        first_layers=tuple(sides[0]),
        second_layers=tuple(sides[1]),
        networks=len(similarity),
        values=_rows(similarity.mean(0)),
        spread=_rows(similarity.std(0, correction=0)),
    )


def _rows(matrix: Tensor) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in matrix.tolist())


def count_parameters(targets: Sequence[Target]) -> list[ParameterCount]:
    """Networks of the structures, and the published ResNets (GenFlowNet, Table 7)."""
    counts = [
        ParameterCount(
            model=f"MLP {target.label} ({target.structure})",
            label=target.label,
            parameters=target.layout.size,
            one_output_less=without_one_output(target.layout),
        )
        for target in targets
    ]
    for config in (RESNET_18, RESNET_34):
        counts.append(ParameterCount(model=config.title, label=config.title, parameters=vision_net_parameters(config)))
    return counts
