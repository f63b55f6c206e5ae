"""What judging a structure's networks needs, made once per process: images, the fixed rest, frozen outputs."""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from zoogen.identity import derive_seed
from zoogen.seeds import seeded_generator
from zoogen.tasks.images.config import ImagesConfig
from zoogen.tasks.images.data.splits import ImageData
from zoogen.tasks.images.judge import Judge, Outcome
from zoogen.tasks.images.prefix import Prefix
from zoogen.tasks.images.running_statistics import running_layers
from zoogen.tasks.images.structure import classifier_of, images_of
from zoogen.tasks.images.trunk import Trunk
from zoogen.tasks.images.view import ClassifierView
from zoogen.tasks.records import MetricGroup

CALIBRATION = 512  # training images from which running statistics are taken anew, at most
GROUPS: tuple["Group", ...] = ("test", "validation")

Group = Literal["test", "validation"]


@dataclass(frozen=True)
class Rest:
    """Where the networks of a structure take what their vectors lack; equal if the trunk is."""

    digest: str = ""
    trunk: Trunk | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Bench:
    """A judge with the images that it judges by.

    Attributes:
        config: the task's.
        judge: of the structure's networks.
        data: the structure's images.
        seen: the images of each group in the judge's form.
        rest: what the judge took from a trunk.
    """

    config: ImagesConfig
    judge: Judge
    data: ImageData
    seen: Mapping[Group, Prefix]
    rest: Rest

    def outcome(self, weights: Tensor, group: Group) -> Outcome:
        """What networks [K, D] make of the images of a group."""
        return self.judge.outcome(weights, self.seen[group], getattr(self.data, group))

    def metrics(self, weights: Tensor, group: Group) -> MetricGroup:
        """Error (1 − accuracy) and mean cross-entropy in nats of networks [K, D]."""
        outcome = self.outcome(weights, group)
        settings = {"images": len(outcome.labels), "classes": self.data.classes}
        return MetricGroup({"error": outcome.error, "loss": outcome.loss}, self._floors(group), settings)

    def inputs(self, count: int, seed: int) -> Tensor:
        """Test images [count, C, S, S] by a seed, the same ones for all networks of a data set; more than there are
        begin anew."""
        images = self.seen["test"].images
        generator = seeded_generator(derive_seed("inputs", self.data.name, seed))
        order = torch.randperm(len(images), generator=generator)
        return images[order[torch.arange(count) % len(images)].to(images.device)]

    @property
    def notices(self) -> tuple[str, ...]:
        """What a user should know of how networks are judged."""
        found = []
        if running_layers(self.judge.view.module) and self.config.statistics == "recalibrated":
            count = min(CALIBRATION, len(self.data.train))
            found.append(f"running statistics are taken anew from {count} training images for every network")
        elif running_layers(self.judge.view.module) and self.config.statistics == "kept":
            found.append("all networks have the running statistics of their trunk")
        if self.config.data.limit is not None:
            counts = f"{len(self.data.test)} test and {len(self.data.validation)} validation images"
            found.append(f"task.data.limit leaves {counts} to judge by")
        return tuple(found)

    def _floors(self, group: Group) -> dict[str, dict[str, float]]:
        """What guessing every class alike gives, and the trunk itself where there is one."""
        count, trunk = self.data.classes, self.rest.trunk
        read = {"guessing": {"error": 1 - 1 / count, "loss": math.log(count)}}
        if trunk is not None:
            read["trunk"] = {"error": 1 - trunk.accuracy[group], "loss": trunk.loss[group]}
        return read


@lru_cache(4)  # each may hold gigabytes of frozen outputs
def bench_of(config: ImagesConfig, structure: str, rest: Rest, device: str) -> Bench:
    """The bench of a structure whose networks take what their vectors lack from `rest`."""
    classifier, data = classifier_of(config, structure), images_of(config, structure)
    module = copy.deepcopy(classifier.view.module)
    if rest.trunk is not None:
        module.load_state_dict(dict(rest.trunk.state))
    view = ClassifierView(module.to(device).eval().requires_grad_(False), classifier.view.layout)
    calibration = calibration_images(data) if config.statistics == "recalibrated" else None
    judge = Judge(view, device, calibration, config.judged_at_once)
    return Bench(config, judge, data, {group: judge.see(getattr(data, group).images) for group in GROUPS}, rest)


def calibration_images(data: ImageData) -> Tensor:
    """The training images from which running statistics are taken anew: the same for all networks, [n, C, S, S]."""
    generator = seeded_generator(derive_seed("calibration", data.name))
    return data.train.images[torch.randperm(len(data.train), generator=generator)[:CALIBRATION]]
