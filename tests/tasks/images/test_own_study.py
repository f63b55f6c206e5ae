"""The README's example of one's own network and data, from its configuration to judged networks."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from zoogen.networks.classifiers.own import load_own
from zoogen.pipelines import stages
from zoogen.pipelines.context import Study
from zoogen.pipelines.open import open_study
from zoogen.pipelines.results import EvaluationResult
from zoogen.tasks.images.structure import images_of
from zoogen.tasks.images.task import ImagesTask
from zoogen.tasks.images.trunk import Trunk

ROOT = Path(__file__).parents[3]
COUNT, STRUCTURE = 6, "own@own"
SMALL = [
    "ray=null",
    "tracking.kind=none",
    "task.training.iterations=60",
    "task.collection.iterations=12",
    "autoencoder.latent=6",
    "generator.loop.iterations=30",
    "generator.loop.schedule.warmup=5",
    "generator.sampler.steps=10",
    f"evaluation.count={COUNT}",
]
GENERATED = {"1.weight", "1.bias", "4.weight", "4.bias"}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    root = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)  # the configuration names its file from there
        return open_study("configs/pdiff/own.yaml", [f"artifacts={root}", *SMALL])


@pytest.fixture(scope="module")
def result(study: Study) -> EvaluationResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return stages.pipeline(study)


@pytest.fixture
def task(study: Study, result: EvaluationResult, monkeypatch: pytest.MonkeyPatch) -> ImagesTask:
    monkeypatch.chdir(ROOT)
    assert isinstance(study.task, ImagesTask)
    return study.task


@pytest.fixture
def trunk(task: ImagesTask) -> Trunk:
    assert task.prepared(STRUCTURE)
    found = task.trunk(STRUCTURE)
    assert found is not None
    return found


@pytest.fixture
def weights(study: Study, task: ImagesTask) -> Tensor:
    """Generated networks [COUNT, D]."""
    return stages.load_generator(study).generate(task.target(STRUCTURE), COUNT, seed=3)


def test_generated_networks_are_judged_beside_the_trained_ones(result: EvaluationResult) -> None:
    found = {judged.method: judged for judged in result.evaluation.results}
    assert {"training", "generated", "held-out", "ensemble", "untrained"} <= found.keys()
    for name in ("test.error", "test.loss", "validation.error", "validation.loss"):
        values = np.array(found["generated"].metrics[name])
        assert values.shape == (COUNT,) and np.isfinite(values).all() and (values >= 0).all()
    assert (np.array(found["generated"].metrics["test.error"]) <= 1).all()
    assert np.mean(found["training"].metrics["test.error"]) < np.mean(found["untrained"].metrics["test.error"])


def test_the_generated_part_is_what_the_file_names(task: ImagesTask) -> None:
    assert set(task.layout(STRUCTURE).shapes) == GENERATED
    assert task.config.subset == load_own("configs/pdiff/own.py").subset


def test_the_rest_of_every_network_is_the_trunk(study: Study, task: ImagesTask, trunk: Trunk, weights: Tensor) -> None:
    whole = task.complete(STRUCTURE, weights)
    assert set(whole) == set(trunk.state)
    for name in whole.keys() - GENERATED:
        assert torch.equal(whole[name], trunk.state[name].expand_as(whole[name])), name
    generated = torch.cat([whole[name].flatten(1) for name in task.layout(STRUCTURE).shapes], 1)
    assert torch.equal(generated, weights) and not torch.equal(weights[0], weights[1])
    assert set(study.zoo.table(STRUCTURE)["fixed"].to_pylist()) == {trunk.digest}


def test_scores_are_those_of_the_files_own_module(task: ImagesTask, weights: Tensor) -> None:
    """Each network by itself, through `load_state_dict` into what the file's function returns."""
    data = images_of(task.config, STRUCTURE)
    module = runpy.run_path("configs/pdiff/own.py")["network"](data.channels, data.size, data.classes).eval()
    scored, whole = task.score(STRUCTURE, weights), task.complete(STRUCTURE, weights)
    for k in range(COUNT):
        module.load_state_dict({name: tensor[k] for name, tensor in whole.items()})
        with torch.no_grad():
            wrong = module(data.test.images).argmax(1) != data.test.labels
        assert float(scored.metric("test.error")[k]) == pytest.approx(float(wrong.double().mean()))


def test_images_and_labels_are_those_of_the_file(task: ImagesTask) -> None:
    images, labels = runpy.run_path("configs/pdiff/own.py")["data"]()
    data = images_of(task.config, STRUCTURE)
    assert data.size == images.shape[1] and data.classes == 2
    assert len(data.train) + len(data.validation) + len(data.test) <= len(labels)
    assert 0.4 < float(data.test.labels.double().mean()) < 0.6  # about as many odd digits as even ones


def test_the_trunk_is_a_part_of_the_zoo_s_cost(
    study: Study, task: ImagesTask, trunk: Trunk, result: EvaluationResult
) -> None:
    assert trunk.seconds > 0 and task.preparation_seconds(STRUCTURE) == trunk.seconds
    cost = result.evaluation.cost
    assert cost["zoo"] == pytest.approx(study.zoo.training_seconds() + trunk.seconds)
    assert cost["zoo_training"] == pytest.approx(study.zoo.training_seconds(split="train") + trunk.seconds)
