"""Every kind of benchmark runs on a tiny workload and keeps its result."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import yaml

from zoogen.benchmarks import contenders, trainer
from zoogen.benchmarks.config import KINDS
from zoogen.benchmarks.contenders import Timing, contender
from zoogen.benchmarks.measured import Report
from zoogen.benchmarks.result import BenchmarkResult
from zoogen.benchmarks.run import load_benchmark, run_benchmark
from zoogen.errors import ZoogenError
from zoogen.evaluation.config import EvaluationConfig
from zoogen.evaluation.result import Environment, Evaluation, Inputs, MethodResult
from zoogen.orchestration.pool import PoolConfig
from zoogen.tasks.base import Task
from zoogen.zoo.build import ZooReport, build_serially
from zoogen.zoo.plan import ZooPlan
from zoogen.zoo.store import ArtifactStore

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "benchmarks").glob("*.yaml"))
TINY: dict[str, Any] = {"ndim": 2, "height": 4, "hidden": 8, "batch": 4, "models": 2, "warm_up": 1, "seed": 0}
TINY |= {"lr": 1e-3, "logz_lr": 0.1}


class QuietConsole:
    def __init__(self) -> None:
        self.said: list[str] = []
        self.shown: list[str] = []

    def say(self, line: str) -> None:
        self.said.append(line)

    def show(self, text: str) -> None:
        self.shown.append(text)

    @contextmanager
    def progress(self, title: str, unit: str) -> Iterator[Report]:
        def report(done: int, total: int, figures: Mapping[str, float]) -> None:
            assert 0 <= done <= total

        yield report


def write(folder: Path, mapping: dict[str, Any]) -> str:
    path = folder / "benchmark.yaml"
    path.write_text(yaml.safe_dump({"results": str(folder / "results"), **mapping}))
    return str(path)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.name)
def test_every_configuration_in_the_repository_is_valid(path: Path) -> None:
    assert load_benchmark(path).kind == path.stem


def test_every_kind_has_a_configuration() -> None:
    assert {path.stem for path in CONFIGS} == set(KINDS)


@pytest.mark.parametrize("name", ["cohort", "torchgfn"])
def test_a_contender_trains_in_a_process_of_its_own(name: str) -> None:
    with contender(name, TINY) as rival:
        timing = rival.train(3)
        assert timing.wall > 0 and timing.cpu > 0
        assert timing.log_z != 0
        assert "torch" in rival.versions
        process = rival.process
    assert process.poll() is not None


@pytest.mark.skipif(contenders.interpreter_of("gfnx") is None, reason="the extra bench is not installed")
def test_gfnx_trains() -> None:
    with contender("gfnx", TINY) as rival:
        assert rival.train(3).log_z != 0


def test_a_contender_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZoogenError, match="nobody ended with status 1: no contender"), contender("nobody", TINY):
        pass
    monkeypatch.setattr(contenders, "interpreter_of", lambda name: None)
    with pytest.raises(ZoogenError, match="extra bench"), contender("gfnx", TINY):
        pass


class FakeRival:
    """Takes as long as it is told: torchgfn a second for the cohort trainer's tenth."""

    versions: dict[str, str] = {"fake": "1"}

    def __init__(self, name: str) -> None:
        self.name = name

    def train(self, iterations: int) -> Timing:
        seconds = iterations * (0.1 if self.name == "cohort" else 1.0)
        return Timing(wall=seconds, cpu=seconds / 2, log_z=1.0)


def test_the_trainer_benchmark_keeps_its_result_and_notices_a_regression(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "contender", lambda name, workload, core: nullcontext(FakeRival(name)))
    workload = {"structure": "4^2", "hidden": 8, "batch_size": 4, "models": 2}
    counts = {"iterations": 2, "warm_up": 1, "rounds": 2, "against": ["torchgfn"]}
    path = write(tmp_path, {"kind": "trainer", **workload, **counts})
    result = run_benchmark(path, [], QuietConsole())
    kept = tmp_path / "results" / "trainer.json"
    assert BenchmarkResult.read(kept) == result
    assert [(m.value, m.target) for m in result.measures] == [(pytest.approx(20.0), 35.0), (pytest.approx(20.0), None)]
    assert result.table[1]["model-iterations/s"] == pytest.approx(1.0)
    assert {row["contender"] for row in result.table} == {"cohort", "torchgfn"}
    assert "zoogen benchmark" in (tmp_path / "results" / "trainer.md").read_text()
    before = kept.read_bytes()
    run_benchmark(path, ["check=true"], QuietConsole())
    inflated = json.loads(before)
    inflated["measures"][0]["value"] = 1e9
    kept.write_text(json.dumps(inflated))
    with pytest.raises(ZoogenError, match="worse than"):
        run_benchmark(path, ["check=true"], QuietConsole())


def test_policies_are_trained_once(tmp_path: Path) -> None:
    task = {"kind": "hypergrid", "hidden": 8, "training": {"iterations": 20}, "judge": {"samples": 0}}
    path = write(tmp_path, {"kind": "policies", "structures": ["E*", "3^2"], "runs": 2, "task": task})
    first = run_benchmark(path, [], QuietConsole())
    assert [row["structure"] for row in first.table] == ["E* 2^2", "3^2"]
    assert [m.target for m in first.measures] == [0.001, 0.001]
    records = sorted((tmp_path / "results" / "policies").glob("*.json"))
    assert len(records) == 2
    stamps = [record.stat().st_mtime_ns for record in records]
    again = run_benchmark(path, [], QuietConsole())
    assert again.table == first.table
    assert [record.stat().st_mtime_ns for record in records] == stamps
    records[0].write_text("damaged")
    assert run_benchmark(path, [], QuietConsole()).measures == first.measures
    changed = run_benchmark(path, ["task.training.iterations=5"], QuietConsole())
    assert [row["iterations"] for row in changed.table] == [5, 5]


def test_generation_is_timed(tmp_path: Path) -> None:
    autoencoder = {"kind": "conv1d", "latent": 16}
    generator = {"kind": "diffusion", "denoiser": {"channels": [4, 8], "embedding": 8}}
    mapping = {
        "kind": "generation",
        "structure": "E*",
        "structures": ["E*"],
        "count": 3,
        "rounds": 2,
        "sampler": {"kind": "ddim", "steps": 2},
        "autoencoder": autoencoder,
        "generator": generator,
    }
    result = run_benchmark(write(tmp_path, mapping), [], QuietConsole())
    assert result.measures[0].value > 0
    assert result.table[0]["policies"] == 3
    with pytest.raises(ZoogenError, match="cannot read the generator"):
        run_benchmark(write(tmp_path, mapping), [f"artifact={tmp_path / 'none'}"], QuietConsole())


def evaluation(tmp_path: Path) -> Path:
    def method(name: str, values: tuple[float, ...], known: bool = True) -> MethodResult:
        return MethodResult(
            method=name,
            structure="4,2,2,2",
            label="E* 2^2",
            known=known,
            count=len(values),
            primary="exact.js",
            metrics={"exact.js": values},
        )

    whole = Evaluation(
        inputs=Inputs(zoo="abc"),
        task={},
        primary_metrics=("exact.js",),
        config=EvaluationConfig(),
        results=(method("generated", (0.002, 0.003, 0.004)), method("held-out", (0.002, 0.0025, 0.003))),
        environment=Environment(date="", versions={}, hardware={}),
    )
    path = tmp_path / "evaluation.json"
    path.write_text(whole.to_json())
    return path


SCALING = {
    "kind": "scaling",
    "structure": "2^2",
    "cohorts": 3,
    "cohort": 2,
    "rounds": 2,
    "task": {"kind": "hypergrid", "hidden": 8, "training": {"iterations": 3}, "judge": {"samples": 0}},
}


def test_scaling_builds_the_same_zoo_in_three_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zoogen.benchmarks import scaling

    built: list[tuple[str, int]] = []

    def pool(plan: ZooPlan, task: Task, uri: str, config: PoolConfig) -> ZooReport:
        report = build_serially(plan, task, ArtifactStore(uri))
        assert report.reused == 0  # every build starts from an empty store
        built.append((plan.digest, int(config.workers)))
        return report

    monkeypatch.setattr(scaling, "build_zoo", pool)
    monkeypatch.setattr(scaling, "connect", lambda num_cpus: nullcontext())
    result = run_benchmark(write(tmp_path, SCALING), [], QuietConsole())
    assert sorted(workers for _, workers in built) == [1, 1, 2, 2, 2]  # one of them to warm up
    assert len({digest for digest, _ in built}) == 2
    assert [m.target for m in result.measures] == [1.7, 0.9]
    assert [row["way"] for row in result.table] == ["plain loop", "1 Ray worker", "2 Ray workers"]


@pytest.mark.slow
def test_scaling_runs_on_ray(tmp_path: Path) -> None:
    result = run_benchmark(write(tmp_path, SCALING), ["rounds=1"], QuietConsole())
    assert all(measure.value > 0 for measure in result.measures)


def test_known_structures_are_read_from_an_evaluation(tmp_path: Path) -> None:
    path = write(tmp_path, {"kind": "known", "evaluation": str(evaluation(tmp_path))})
    result = run_benchmark(path, [], QuietConsole())
    assert result.measures[0].value == pytest.approx(0.003 / 0.0025)
    assert result.measures[0].reached is False
    assert result.table[0]["held-out median"] == 0.0025
    with pytest.raises(ZoogenError, match="compares no average-5 networks"):
        run_benchmark(path, ["method=average-5"], QuietConsole())
    with pytest.raises(ZoogenError, match="cannot read the evaluation"):
        run_benchmark(path, [f"evaluation={tmp_path / 'none.json'}"], QuietConsole())


def test_bad_input_is_named_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(ZoogenError, match="kind is one of trainer, scaling"):
        load_benchmark(write(tmp_path, {"kind": "speed"}))
    with pytest.raises(ZoogenError, match="did you mean rounds"):
        load_benchmark(write(tmp_path, {"kind": "trainer", "round": 3}))
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(ZoogenError, match="cannot write to the results folder"):
        run_benchmark(write(tmp_path, {"kind": "trainer"}), [f"results={blocked / 'inside'}"], QuietConsole())
    with pytest.raises(ZoogenError, match="cannot read the benchmark result"):
        run_benchmark(write(tmp_path, {"kind": "trainer"}), ["check=true"], QuietConsole())


def test_importing_the_room_imports_neither_ray_nor_torchgfn() -> None:
    code = "import sys, zoogen.benchmarks.run; print([m for m in ('ray', 'gfn', 'jax') if m in sys.modules])"
    environment = os.environ | {"PYTHONPATH": str(Path(contenders.__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "[]"
