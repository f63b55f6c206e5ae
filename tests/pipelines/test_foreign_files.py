"""Weights files that zoogen did not write: whole networks as other programs save them, and files that ask for much."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tests.tasks.images.small import NARROW, made
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.pipelines.weight_files import judge_file, read_networks
from zoogen.tasks.hypergrid.config import HypergridConfig
from zoogen.tasks.hypergrid.task import HypergridTask
from zoogen.tasks.images.config import ImagesConfig
from zoogen.tasks.images.task import ImagesTask
from zoogen.tasks.torchgfn.config import TorchgfnConfig
from zoogen.tasks.torchgfn.task import TorchgfnTask

GRID = HypergridTask(HypergridConfig())
SUBSET = {"subset": ["normalisations"], "training": {"iterations": 2}}


def saved(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> str:
    save_file({name: tensor.contiguous().clone() for name, tensor in tensors.items()}, path, metadata)
    return str(path)


def errors(judgement: dict[str, Any]) -> Any:
    return judgement["test"]["error"]


@pytest.fixture(scope="module")
def task() -> ImagesTask:
    subset = made(**SUBSET)
    subset.prepare(NARROW)
    return subset


def networks(task: ImagesTask, count: int = 2) -> tuple[Tensor, dict[str, Tensor]]:
    """Vectors around the trunk's, and the state dicts of the networks."""
    generator = torch.Generator().manual_seed(1)
    trunk = task.trunk(NARROW)
    assert trunk is not None
    own = task.classifier(NARROW).view.extract(trunk.state)
    weights = own + 0.1 * torch.randn(count, len(own), generator=generator)
    return weights, dict(task.complete(NARROW, weights))


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.module."])
@pytest.mark.parametrize("single", [False, True])
def test_state_dicts_of_whole_networks_are_judged(task: ImagesTask, tmp_path: Path, prefix: str, single: bool) -> None:
    weights, states = networks(task, 1 if single else 2)
    assert "bn1.num_batches_tracked" in states or any("num_batches" in name for name in states)
    tensors = {prefix + name: tensor[0] if single else tensor for name, tensor in states.items()}
    judgement = judge_file(saved(tmp_path / "whole.safetensors", tensors), task, known=[NARROW])
    expected = task.score(NARROW, weights).metric("test.error").tolist()
    assert errors(judgement) == pytest.approx(expected)
    assert any("are those of the trunk" in notice for notice in judgement["notices"])
    assert any("not used: " in notice and "num_batches_tracked" in notice for notice in judgement["notices"])
    assert any("prefix" in notice for notice in judgement["notices"]) == bool(prefix)
    assert any("leading dimension" in notice for notice in judgement["notices"]) == single


def test_networks_with_another_rest_are_refused_by_name(task: ImagesTask, tmp_path: Path) -> None:
    _, states = networks(task)
    first = next(name for name in states if name not in task.layout(NARROW).shapes)
    other = {**states, first: states[first] + 0.1}
    with pytest.raises(ZoogenError, match=rf"not those of its trunk: {re.escape(first)}; generate them") as caught:
        judge_file(saved(tmp_path / "other.safetensors", other), task, known=[NARROW])
    assert "\n" not in str(caught.value)
    more = {**states, "head.scale": torch.ones(2, 1)}
    with pytest.raises(ZoogenError, match="unexpected tensors: head.scale"):
        judge_file(saved(tmp_path / "more.safetensors", more), task, known=[NARROW])


@pytest.mark.parametrize("statistics", ["regenerated", "recalibrated"])
def test_running_statistics_are_taken_as_state_dicts_hold_them(tmp_path: Path, statistics: str) -> None:
    """In vectors variances stand as logarithms; in state dicts they are variances."""
    task = made(**SUBSET, statistics=statistics)
    task.prepare(NARROW)
    weights, states = networks(task)
    if statistics == "recalibrated":
        states = {name: t + 1 if name.endswith("running_mean") else t for name, t in states.items()}
    judgement = judge_file(saved(tmp_path / "whole.safetensors", states), task, known=[NARROW])
    assert errors(judgement) == pytest.approx(task.score(NARROW, weights).metric("test.error").tolist())
    said = any("running_mean" in notice for notice in judgement["notices"])
    assert said == (statistics == "recalibrated")


def test_a_single_policy_of_another_program_is_judged(tmp_path: Path) -> None:
    weights = GRID.untrained("4^2", 1, 0)
    tensors = {name: tensor[0] for name, tensor in GRID.layout("4^2").unflatten(weights).items()}
    judgement = judge_file(saved(tmp_path / "one.safetensors", {f"model.{n}": t for n, t in tensors.items()}))
    assert judgement["exact"]["js"] == pytest.approx(GRID.score("4^2", weights).metric("exact.js").tolist())


def asking(task: Any, structure: str, **metadata: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """A file of one network that is judged by what it says of itself."""
    tensors = task.layout(structure).unflatten(task.untrained(structure, 1, 0))
    return tensors, {**task.file_metadata(structure), "task_config": json.dumps(task.resolved()), **metadata}


@pytest.mark.parametrize(
    "judge", [{"samples": 10**12}, {"samples": 2**62}, {"floor_repeats": 10**9}, {"memory_gib": 1e6}]
)
def test_a_file_does_not_choose_how_much_work_judging_is(tmp_path: Path, judge: dict[str, Any]) -> None:
    tensors, metadata = asking(GRID, "4^2", task_config=json.dumps({"kind": "hypergrid", "judge": judge}))
    path = saved(tmp_path / "much.safetensors", tensors, metadata)
    with pytest.raises(ZoogenError, match=r"takes .* \(at most .*\); give the study's CONFIG") as caught:
        judge_file(path)
    assert len(str(caught.value)) < 300
    assert read_networks(path, GRID).structure == GRID.canonical("4^2"), "with a configuration of one's own it is read"


def test_a_file_chooses_no_folder_and_no_program(tmp_path: Path) -> None:
    images = ImagesTask(ImagesConfig())
    resolved = images.resolved()
    resolved["data"]["root"] = str(tmp_path)
    tensors, metadata = asking(images, "cnn-small@digits", task_config=json.dumps(resolved))
    with pytest.raises(ZoogenError, match="takes images below"):
        judge_file(saved(tmp_path / "root.safetensors", tensors, metadata))
    learner = TorchgfnTask(TorchgfnConfig())
    tensors, metadata = asking(learner, "8x2")
    marker = tmp_path / "started"
    for environment, arguments in (
        ("gfn.gym.chip_design:ChipDesign", {"singularity_image": str(marker)}),
        ("gfn.gym.helpers.chip_design.plc_client:PlacementCost", {"plc_wrapper_main": str(marker)}),
        ("subprocess:run", {"args": ["touch", str(marker)]}),
    ):
        config = {"kind": "torchgfn", "environment": environment, "structures": {"8x2": arguments}}
        path = saved(tmp_path / "program.safetensors", tensors, {**metadata, "task_config": json.dumps(config)})
        with pytest.raises(ZoogenError, match=r"is none of|no number or short name"):
            judge_file(path)
    assert not marker.exists()
