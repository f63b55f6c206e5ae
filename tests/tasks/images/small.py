"""A small images task and a small zoo of it."""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from zoogen.config import parse_config
from zoogen.tasks.images.config import ImagesConfig
from zoogen.tasks.images.structure import images_of
from zoogen.tasks.images.task import ImagesTask
from zoogen.tasks.records import CohortSpec, RunSpec

SMALL = "cnn-small@digits"
NARROW = "resnet18-narrow@digits"
RUNS = (RunSpec(0, 11, 1), RunSpec(1, 12, 2))


def made(**config: Any) -> ImagesTask:
    phases = {
        "training": {"iterations": 40, "batch_size": 64},
        "collection": {"iterations": 3, "batch_size": 64, "optimiser": {"learning_rate": 1e-2}},
    }
    return ImagesTask(parse_config(ImagesConfig, {"data": {"limit": 150}, **phases, **config}, "small"))


def cohort(task: ImagesTask, structure: str = SMALL) -> Tensor:
    """Weights of two runs with three checkpoints each, [6, D]."""
    return task.train_cohort(CohortSpec(task.resolved_for(structure), structure, RUNS)).weights.flatten(0, 1)


@lru_cache
def small_zoo() -> Tensor:
    return cohort(made())


def by_hand(task: ImagesTask, structure: str, weights: Tensor, group: str) -> list[tuple[Tensor, Tensor]]:
    """Logits and labels of every network, loaded whole into a fresh module."""
    states, split = task.complete(structure, weights), getattr(images_of(task.config, structure), group)
    module, found = task.classifier(structure).fresh(99), []
    for k in range(len(weights)):
        module.load_state_dict({name: value[k] for name, value in states.items()})
        with torch.no_grad():
            found.append((module.eval()(split.images), split.labels))
    return found
