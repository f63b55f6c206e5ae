import pytest
import torch

from zoogen.tasks.hypergrid.config import HypergridConfig
from zoogen.tasks.hypergrid.task import HypergridTask
from zoogen.teaching.lessons import divergence, lessons_of_optimum, lessons_of_zoo
from zoogen.zoo.read import CheckpointSet

TASK = HypergridTask(HypergridConfig())


def test_the_teacher_is_the_mean_of_the_checkpoints() -> None:
    runs = torch.arange(5)
    rows = CheckpointSet(TASK.target("4^2"), TASK.untrained("4^2", 5, seed=0), runs, runs, {})
    lessons = lessons_of_zoo(TASK, rows, 100, seed=0)
    outputs = TASK.outputs("4^2", rows.weights, lessons.inputs).exp()
    torch.testing.assert_close(lessons.choices, outputs.mean(0))
    torch.testing.assert_close(lessons.choices.sum(1), torch.ones(100))


def test_divergence_is_that_of_torch() -> None:
    choices, outputs = torch.rand(2, 6, 3).softmax(-1)
    expected = torch.nn.functional.kl_div(outputs.log(), choices, reduction="none").sum(-1)
    torch.testing.assert_close(divergence(choices, outputs.log()), expected)


def test_what_is_impossible_costs_nothing() -> None:
    choices, outputs = torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.5, 0.5, 0.0]).log().clamp(min=-1e9)
    assert divergence(choices, outputs).item() == pytest.approx(0, abs=1e-6)


def test_the_optimum_diverges_from_itself_by_nothing() -> None:
    lessons = lessons_of_optimum(TASK, TASK.target("4^2"), 50, seed=1)
    assert divergence(lessons.choices, lessons.choices.log().clamp(min=-1e9)).abs().max().item() < 1e-5
