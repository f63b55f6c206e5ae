"""Switches of torch's arithmetic, and who turns them."""

import inspect

import pytest
import torch

from zoogen.numerics import deterministic, deterministic_here, full_precision, running_sum
from zoogen.tasks.base import Task
from zoogen.tasks.hypergrid.task import HypergridTask
from zoogen.tasks.images.task import ImagesTask
from zoogen.tasks.torchgfn.task import TorchgfnTask

COMPUTING = (
    "activations",
    "behaviour",
    "behaviour_distances",
    "complete",
    "fine_tune",
    "portraits",
    "prepare",
    "score",
)


def precisions() -> list[str]:
    return [torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.conv.fp32_precision]  # type: ignore


def test_full_precision_switches_tf32_off_and_puts_back_what_was() -> None:
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    try:
        before = precisions()
        with full_precision():
            assert precisions() == ["ieee", "ieee"]
        assert precisions() == before == ["tf32", "tf32"]
    finally:
        torch.backends.cuda.matmul.fp32_precision = "none"


def test_determinism_is_a_switch_that_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    with deterministic(False):
        assert not deterministic_here()
    with deterministic(True):
        assert deterministic_here()
        with deterministic(True):
            pass
        assert deterministic_here()
    assert not deterministic_here()


def test_running_sums_term_by_term_are_cumulative_sums() -> None:
    values = torch.rand(3, 5, 2, dtype=torch.float64)
    for dim in (0, 1, -1):
        terms = torch.stack([values.narrow(dim, 0, k + 1).sum(dim) for k in range(values.shape[dim])], dim)
        torch.testing.assert_close(running_sum(values, dim), terms)


@pytest.mark.parametrize("task", [Task, HypergridTask, ImagesTask, TorchgfnTask])
def test_every_method_that_computes_takes_the_device(task: type[Task]) -> None:
    for name in (*COMPUTING, "train_cohort"):
        assert inspect.signature(getattr(task, name)).parameters["device"].default == "cpu", name
