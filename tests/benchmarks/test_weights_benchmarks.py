"""The recipe benchmark on a tiny zoo: resumed by stage, and its ratios."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.benchmarks.test_benchmarks import QuietConsole, write

from zoogen.benchmarks import recipe
from zoogen.benchmarks.recipe import Generated, Timing
from zoogen.benchmarks.run import run_benchmark
from zoogen.errors import ZoogenError
from zoogen.generators.latent_weight_generator import LatentWeightGenerator

LOOP = {"iterations": 4, "batch_size": 4, "log_every": 2}


def tiny(folder: Path) -> dict[str, Any]:
    def contender(latent: int, steps: int) -> dict[str, Any]:
        return {
            "autoencoder": {"kind": "conv1d", "latent": latent, "channels": [4, 8], "loop": {**LOOP}},
            "generator": {
                "denoiser": {"channels": [4, 8], "embedding": 8},
                "loop": {**LOOP},
                "sampler": {"steps": steps},
            },
        }

    return {
        "kind": "recipe",
        "artifacts": str(folder / "artifacts"),
        "task": {"kind": "hypergrid", "hidden": 8, "training": {"iterations": 20, "batch_size": 4, "checkpoints": 3}},
        "zoo": {"structures": ["2^2"], "runs": 2, "validation_runs": 0, "test_runs": 0, "cohort": 2},
        "count": 5,
        "ours": contender(8, 2),
        "paper": contender(16, 3),
    }


def counting(calls: list[str], name: str) -> Callable[..., Any]:
    real = getattr(recipe, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        calls.append(name)
        return real(*args, **kwargs)

    return call


def test_stages_that_are_done_are_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, tiny(tmp_path))
    trained: list[str] = []
    generate = LatentWeightGenerator.generate
    for name in ("train_codec", "train_generator"):
        monkeypatch.setattr(recipe, name, counting(trained, name))
    steps: list[int] = []

    def interrupted(self: LatentWeightGenerator, *args: Any, **kwargs: Any) -> Any:
        steps.append(kwargs["sampler"].steps)
        if steps == [2, 3]:
            raise KeyboardInterrupt
        return generate(self, *args, **kwargs)

    monkeypatch.setattr(LatentWeightGenerator, "generate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_benchmark(path, [], QuietConsole())
    assert trained == ["train_codec", "train_generator"] * 2
    first = run_benchmark(path, [], QuietConsole())
    assert len(trained) == 4 and steps == [2, 3, 3], "only what was missing was made"
    again = run_benchmark(path, [], QuietConsole())
    assert again.measures == first.measures and steps == [2, 3, 3]
    run_benchmark(path, ["ours.generator.sampler.steps=4"], QuietConsole())
    assert len(trained) == 4 and steps[-1] == 4, "a sampler needs no training"
    run_benchmark(path, ["paper.generator.loop.iterations=5"], QuietConsole())
    assert trained[4:] == ["train_generator"]


def test_seconds_add_up_and_networks_are_judged_by_the_task(tmp_path: Path) -> None:
    result = run_benchmark(write(tmp_path, tiny(tmp_path)), [], QuietConsole())
    originals, ours, paper = result.table
    for row in (ours, paper):
        assert row["all s"] == pytest.approx(row["autoencoder s"] + row["generator s"] + row["generating s"])  # type: ignore[operator]
        assert row["networks"] == 5 and row["not finite"] == 0
    ratio, _, difference = result.measures
    assert ratio.value == pytest.approx(paper["all s"] / ours["all s"]) and ratio.target == 20  # type: ignore[operator]
    metric = "mean exact.js"
    assert difference.value == pytest.approx(ours[metric] - paper[metric])  # type: ignore[operator]
    assert originals["networks"] == 6 and 0 < originals[metric] < 1  # type: ignore[operator]
    with pytest.raises(ZoogenError, match="names 2 structures"):
        run_benchmark(write(tmp_path, tiny(tmp_path)), ["zoo.structures=[2^2,3^2]"], QuietConsole())


def test_networks_that_are_not_finite_count_as_infinitely_bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generate = LatentWeightGenerator.generate

    def broken(self: LatentWeightGenerator, *args: Any, **kwargs: Any) -> torch.Tensor:
        weights = generate(self, *args, **kwargs)
        weights[1, 0] = math.nan
        return weights

    monkeypatch.setattr(LatentWeightGenerator, "generate", broken)
    result = run_benchmark(write(tmp_path, tiny(tmp_path)), [], QuietConsole())
    assert result.table[1]["not finite"] == 1 and result.table[1]["mean exact.js"] == math.inf
    assert 0 < result.table[1]["best exact.js"] < 1  # type: ignore[operator]
    kept = Generated(timing=Timing(wall=1, cpu=1), metric="m", values=(math.inf, 1.0))
    assert Generated.model_validate_json(kept.model_dump_json()) == kept


CASES = [
    {"name": "small", "parameters": 2000, "paper": 658.0, "target": 4.0, "autoencoder": {"kind": "pdiff", "latent": 8}},
    {"name": "large", "parameters": 4_000_000, "target": 4.0, "autoencoder": {"kind": "conv1d", "latent": 64}},
    {"name": "at once", "parameters": 500, "autoencoder": {"kind": "linear", "latent": 3}},
]
for case in CASES[:2]:
    case |= {"iterations": 2, "batch": 4}


def test_memory_is_measured_in_processes_of_their_own_and_limited(tmp_path: Path) -> None:
    path = write(tmp_path, {"kind": "memory", "checkpoints": 6, "limit": 1.5, "cases": CASES})
    result = run_benchmark(path, [], QuietConsole())
    small, large, linear = result.table
    assert 100 < small["peak MB"] < 1500 and small["paper MB"] == 658 and small["s"] > 0  # type: ignore[operator]
    assert (small["batch"], small["iterations"], small["latent"]) == (4, 2, 8)
    assert large["peak MB"] == "over 1500" and "s" not in large
    assert linear["batch"] is None and linear["peak MB"] > 100  # type: ignore[operator]
    assert [m.reached for m in result.measures] == [True, False]
    with pytest.raises(ZoogenError, match="linear is fitted at once: it has no batch"):
        run_benchmark(path, ["cases=[{name: x, parameters: 9, batch: 2, autoencoder: {kind: linear}}]"], QuietConsole())
