"""Everything that takes a device, on a second one: nothing mixes devices, and the numbers are those of the CPU."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from tests.clusters import checkpoint_set
from tests.generators.source.grids import TASK as GRIDS
from tests.generators.source.grids import TAUGHT, source_config, untrained_checkpoints
from tests.second_device import second_device
from tests.tasks.images.small import made
from torch import Tensor

from zoogen.autoencoders.config import Conv1dAutoencoderConfig
from zoogen.autoencoders.train import train_codec
from zoogen.generators.config import DiffusionConfig, SamplerConfig
from zoogen.generators.denoiser_config import MlpConfig
from zoogen.generators.source.train import train_source_generator
from zoogen.generators.train import train_generator
from zoogen.tasks.base import Task
from zoogen.tasks.hypergrid.config import HypergridConfig
from zoogen.tasks.hypergrid.task import HypergridTask
from zoogen.tasks.records import CohortSpec, FineTuneSpec, RunSpec
from zoogen.training.config import EmaConfig, LoopConfig

Told = Mapping[str, Tensor]
RUNS = (RunSpec(0, 1, 2), RunSpec(1, 3, 4))


def on_both(compute: Callable[[str], Told]) -> None:
    expected = compute("cpu")
    with second_device() as device:
        told = compute(device)
    assert told.keys() == expected.keys()
    for name, value in told.items():
        assert type(value) is Tensor, f"{name} is not given on the CPU"
        torch.testing.assert_close(value, expected[name], msg=lambda text, name=name: f"{name}: {text}")


def of_task(task: Task, structure: str, device: str) -> dict[str, Tensor]:
    """All that a task computes of one structure."""
    task.prepare(structure, device)
    cohort = task.train_cohort(CohortSpec(task.resolved_for(structure), structure, RUNS), device)
    weights = cohort.weights[:, -1]
    tuned = task.fine_tune(FineTuneSpec(structure, (5, 6), (2, 4)), weights, device)
    behaviour = task.behaviour(structure, weights, device)
    assert behaviour is not None
    told = {"weights": cohort.weights, "tuned": tuned.weights, "behaviour": behaviour, **cohort.training}
    told["distances"] = task.behaviour_distances(behaviour, behaviour, device)
    told |= task.score(structure, weights, seed=3, device=device).flat()
    told |= task.activations(structure, weights, 5, 1, device) or {}
    told |= {f"whole {name}": value for name, value in task.complete(structure, weights, device).items()}
    pictures = task.portraits(structure, weights[0], device)
    return told | {picture.title: torch.from_numpy(picture.values.copy()) for picture in pictures}


OBJECTIVES = [
    {"kind": "trajectory_balance"},
    {"kind": "sub_trajectory_balance"},
    {"kind": "detailed_balance"},
    {"kind": "flow_matching"},
]


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda objective: objective["kind"])
def test_hypergrids(objective: dict[str, Any]) -> None:
    """Trajectories of 12 steps at most are compacted on their way."""
    training = {"iterations": 8, "batch_size": 16, "checkpoints": 2, "objective": objective, "epsilon": 0.1}
    config = HypergridConfig.model_validate({"hidden": 8, "training": training, "judge": {"samples": 50}})
    on_both(lambda device: of_task(HypergridTask(config), "5^3", device))


@pytest.mark.parametrize("start", ["trunk", "scratch"])
@pytest.mark.parametrize("structure", ["cnn-small@digits", "mlp-mini@digits"])
def test_classifiers(structure: str, start: str) -> None:
    """From a trunk with a frozen prefix, and whole networks from scratch."""
    phase = {"iterations": 4, "batch_size": 16}
    settings = {"start": start, "training": phase, "collection": phase, "data": {"limit": 120}}
    on_both(lambda device: of_task(made(**settings), structure, device))


def test_autoencoder_and_generator() -> None:
    loop = LoopConfig(iterations=4, batch_size=4, ema=EmaConfig())
    train = [checkpoint_set(5, runs=3)]

    def learn(device: str) -> Told:
        autoencoder = Conv1dAutoencoderConfig(latent=8, channels=(4, 8), loop=loop)
        codec = train_codec(autoencoder, train, seed=0, device=device)
        config = DiffusionConfig(denoiser=MlpConfig(), loop=loop, sampler=SamplerConfig(kind="ddpm", steps=5))
        generator = train_generator(config, codec, train, seed=0, device=device)
        return {"generated": generator.generate(train[0].target, 3, 1, device).cpu()}

    on_both(learn)


@pytest.mark.parametrize("teacher", ["zoo", "exact"])
def test_source_generator(teacher: str) -> None:
    train = [untrained_checkpoints(name, seed=1) for name in TAUGHT]

    def learn(device: str) -> Told:
        config = source_config(4, teacher=teacher)
        generator = train_source_generator(config, GRIDS, TAUGHT, train, seed=0, device=device)
        return {"generated": generator.generate(GRIDS.target("4^2"), 3, 1, device).cpu()}

    on_both(learn)
