"""What judging a structure's networks needs, made once per process: images, the fixed rest, frozen outputs."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from zoogen.identity import derive_seed
from zoogen.tasks.images.config import ImagesConfig
from zoogen.tasks.images.data.splits import ImageData
from zoogen.tasks.images.judge import Judge, Outcome
from zoogen.tasks.images.prefix import Prefix
from zoogen.tasks.images.structure import classifier_of, images_of
from zoogen.tasks.images.view import ClassifierView

CALIBRATION = 512  # training images from which running statistics are taken anew, at most

Group = Literal["test", "validation"]


@dataclass(frozen=True)
class Rest:
    """The fixed rest of a structure's networks; equal if it has the same digest."""

    digest: str = ""
    state: Mapping[str, Tensor] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class Bench:
    """A judge with the images that it judges by.

    Attributes:
        judge: of the structure's networks.
        data: the structure's images.
        seen: the images of each group in the judge's form.
    """

    judge: Judge
    data: ImageData
    seen: Mapping[Group, Prefix]

    def outcome(self, weights: Tensor, group: Group) -> Outcome:
        """What networks [K, D] make of the images of a group."""
        return self.judge.outcome(weights, self.seen[group], getattr(self.data, group))


@lru_cache(4)  # each may hold gigabytes of frozen outputs
def bench_of(config: ImagesConfig, structure: str, rest: Rest, device: str) -> Bench:
    """The bench of a structure: the rest of its networks is `rest`, as far as they have one."""
    classifier, data = classifier_of(config, structure), images_of(config, structure)
    module = copy.deepcopy(classifier.view.module)
    module.load_state_dict(dict(rest.state), strict=bool(rest.state))
    view = ClassifierView(module.to(device).eval().requires_grad_(False), classifier.view.layout)
    calibration = calibration_images(data) if config.statistics == "recalibrated" else None
    judge = Judge(view, device, calibration, config.judged_at_once)
    return Bench(judge, data, {"test": judge.see(data.test.images), "validation": judge.see(data.validation.images)})


def calibration_images(data: ImageData) -> Tensor:
    """The training images from which running statistics are taken anew: the same for all networks, [n, C, S, S]."""
    generator = torch.Generator().manual_seed(derive_seed("calibration", data.name))
    return data.train.images[torch.randperm(len(data.train), generator=generator)[:CALIBRATION]]
