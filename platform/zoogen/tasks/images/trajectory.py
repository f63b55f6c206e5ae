"""The zoo of a structure: every run a trajectory of checkpoints, from the trunk or from a network of its own."""

import time

import torch
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.identity import derive_seed
from zoogen.tasks.base import ProgressCallback
from zoogen.tasks.images.config import ImagesConfig
from zoogen.tasks.images.data.splits import ImageData
from zoogen.tasks.images.trainer import Progress, Trainer
from zoogen.tasks.images.trunk import Fresh, Trunk
from zoogen.tasks.images.view import ClassifierView
from zoogen.tasks.records import Cohort, CohortSpec, FineTuned, FineTuneSpec


def collect(
    spec: CohortSpec,
    config: ImagesConfig,
    view: ClassifierView,
    trunk: Trunk | None,
    data: ImageData,
    *,
    fresh: Fresh | None = None,
    device: str = "cpu",
    progress: ProgressCallback | None = None,
) -> Cohort:
    """Train the runs of `spec` and take their checkpoints (p-diff §2.3).

    A run's numbers do not depend on its cohort. Checkpoints of a run from its divergence on are NaN.

    Args:
        trunk: where runs start with `start: trunk`; it names itself in the column `fixed`.
        fresh: makes the untrained networks of `start: scratch`, given a run's `init_seed`.
    """
    began, seeds = time.perf_counter(), [run.seed for run in spec.runs]
    phases = [config.collection] if config.start == "trunk" else [config.training, config.collection]
    trainer = Trainer(config, view, data, device, Progress(progress, phases, len(seeds)))
    if config.start == "trunk":
        assert trunk is not None
        trainer.load(trunk.state)
        starts = [trainer.own(trunk.state)] * len(seeds)
    else:
        assert fresh is not None
        starts = trainer.networks([fresh(run.init_seed).state_dict() for run in spec.runs], seeds)
    steps = config.collection.checkpoint_steps()
    tags = [derive_seed("collection", seed) for seed in seeds]
    weights, figures = trainer.trajectories(starts, config.collection, tags, steps)
    training = {"loss": figures.loss, "accuracy": figures.accuracy}
    columns = {"fixed": trunk.digest} if trunk is not None and config.start == "trunk" else {}
    return Cohort(spec, torch.tensor(steps), weights, training, time.perf_counter() - began, columns)


def continue_training(
    spec: FineTuneSpec,
    config: ImagesConfig,
    view: ClassifierView,
    trunk: Trunk | None,
    data: ImageData,
    weights: Tensor,
    *,
    device: str = "cpu",
    progress: ProgressCallback | None = None,
) -> FineTuned:
    """Train networks [M, D] on as runs are collected, over as many iterations as `spec` says.

    Optimisers begin without moments. Networks of equal seed see the same images.

    Raises:
        ZoogenError: the weights are not [M, D] or not finite, or the steps do not ascend from 1.
    """
    began, steps = time.perf_counter(), list(spec.steps)
    view.require_finite(weights)
    if len(weights) != len(spec.seeds) or not len(weights):
        raise ZoogenError(f"{len(weights)} networks to train on with {len(spec.seeds)} seeds; give one seed for each")
    if not steps or steps[0] < 1 or steps != sorted(set(steps)):
        raise ZoogenError(f"checkpoints after iterations {steps}: they must ascend from 1 and be at least one")
    phase = config.collection.model_copy(update={"iterations": steps[-1]})
    if spec.learning_rate is not None:
        optimiser = phase.optimiser.model_copy(update={"learning_rate": spec.learning_rate})
        phase = phase.model_copy(update={"optimiser": optimiser})
    trainer = Trainer(config, view, data, device, Progress(progress, [phase], len(weights)))
    if config.start == "trunk":
        assert trunk is not None
        trainer.load(trunk.state)
    base = trainer.own(trainer.module.state_dict())
    starts = [{**base, **view.tensors(row)} for row in weights.detach().cpu()]
    tags = [derive_seed("fine-tuning", seed) for seed in spec.seeds]
    found, figures = trainer.trajectories(starts, phase, tags, steps)
    training = {"loss": figures.loss, "accuracy": figures.accuracy}
    return FineTuned(torch.tensor(steps), found, training, time.perf_counter() - began)
