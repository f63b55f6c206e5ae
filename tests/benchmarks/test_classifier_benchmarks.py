"""The benchmarks of classifiers on a few networks and images."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.benchmarks.test_benchmarks import QuietConsole, write

from zoogen.benchmarks.classifiers import train_plainly
from zoogen.benchmarks.judging import judged_one_by_one, largest_difference
from zoogen.benchmarks.run import run_benchmark
from zoogen.errors import ZoogenError
from zoogen.tasks.images.config import ImagesConfig
from zoogen.tasks.images.task import ImagesTask

TASK: dict[str, Any] = {"kind": "images", "data": {"limit": 40}, "training": {"iterations": 0}}


def test_ways_to_train_are_timed_against_the_plain_loop(tmp_path: Path) -> None:
    counts = {"models": 3, "iterations": 2, "workers": 1, "rounds": 1}
    mapping = {"kind": "classifiers", "structures": ["cnn-small@digits"], "task": {**TASK}, **counts}
    result = run_benchmark(write(tmp_path, mapping), [], QuietConsole())
    assert [row["way"] for row in result.table] == ["stacked", "workers", "one by one", "plain loop"]
    rates = {row["way"]: row["model-steps/s"] for row in result.table}
    for measure in result.measures:
        way = measure.name.split(" / ")[0]
        assert measure.value == pytest.approx(rates[way] / rates["plain loop"])  # type: ignore[operator]


def test_the_plain_loop_learns() -> None:
    config = ImagesConfig.model_validate(
        {**TASK, "start": "scratch", "collection": {"iterations": 40, "optimiser": {"learning_rate": 3e-3}}}
    )
    short = config.model_copy(update={"collection": config.collection.model_copy(update={"iterations": 1})})
    (before,), (after,) = (train_plainly(item, "cnn-small@digits", [5]) for item in (short, config))
    assert after < before - 0.2


def test_judging_is_timed_and_gives_what_a_loop_gives(tmp_path: Path) -> None:
    cases = [{"structure": "cnn-small@digits"}, {"structure": "resnet-mini@digits", "subset": ["normalisations"]}]
    mapping = {"kind": "judging", "task": {**TASK}, "cases": cases, "networks": 5, "rounds": 1}
    result = run_benchmark(write(tmp_path, mapping), [], QuietConsole())
    assert [m.reached for m in result.measures if m.unit == "images"] == [True, True]
    assert all(abs(row["difference of loss"]) < 1e-5 for row in result.table)  # type: ignore[arg-type]
    with pytest.raises(ZoogenError, match="takes no statistics anew"):
        run_benchmark(write(tmp_path, mapping), ["task.statistics=recalibrated"], QuietConsole())


def test_the_loop_counts_what_it_sees() -> None:
    """A network whose last bias names one class is right on that class alone."""
    task = ImagesTask(ImagesConfig.model_validate(TASK))
    name, layout = "cnn-small@digits", task.layout("cnn-small@digits")
    tensors = {key: torch.zeros(1, *shape) for key, shape in layout.shapes.items()}
    last = list(layout.shapes)[-1]
    tensors[last][0, 3] = 50.0
    judged = judged_one_by_one(task, name, layout.flatten(tensors))
    labels = task.bench(name).data.test.labels
    assert float(judged["test.error"][0]) == pytest.approx(float((labels != 3).double().mean()))
    assert float(judged["test.loss"][0]) == pytest.approx(50 * float((labels != 3).double().mean()), rel=1e-5)
    other = {key: values + 0.25 for key, values in judged.items()}
    assert largest_difference(judged, other, "loss") == pytest.approx(0.25)
