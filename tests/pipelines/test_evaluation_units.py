"""An evaluation goes on from the structures that are done, holds one at a time, and does not depend on its workers."""

import gc
import json
import os
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.studies import TINY, MakeStudy

from zoogen.evaluation import structure_evaluation
from zoogen.evaluation.result import Evaluation
from zoogen.orchestration import cluster, pool
from zoogen.pipelines import stages
from zoogen.pipelines.context import Study
from zoogen.pipelines.digests import evaluation_key
from zoogen.pipelines.evaluation_units import evaluation_units
from zoogen.tasks.hypergrid.task import HypergridTask
from zoogen.zoo.read import CheckpointSet, Zoo

ROOT = Path(__file__).parents[2]
REFERENCE = {"structures": ["E*"], "runs": 2, "validation_runs": 0, "test_runs": 0}


def told(evaluation: Evaluation) -> dict[str, Any]:
    """All but when, where and how long."""

    def without(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: without(v) for k, v in value.items() if k not in ("seconds", "cost", "environment")}
        return [without(item) for item in value] if isinstance(value, list) else value

    return without(json.loads(evaluation.model_dump_json()))


def trained(study: Study) -> Study:
    stages.build_zoo(study)
    stages.train_autoencoder(study)
    stages.train_generator(study)
    return study


def forget(study: Study) -> None:
    """Remove the evaluation and leave its parts."""
    path = study.store.local_path_of(evaluation_key(study.evaluation_digest))
    assert path is not None
    path.unlink()


def parts(study: Study) -> dict[str, Path]:
    paths = {unit.structure: study.store.local_path_of(unit.key) for unit in evaluation_units(study)}
    return {name: path for name, path in paths.items() if path is not None and path.exists()}


def test_an_interrupted_evaluation_goes_on_from_the_finished_structures(
    make_study: MakeStudy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = trained(make_study(reference=REFERENCE))
    undisturbed = told(stages.evaluate(study).evaluation)
    names = list(parts(study))
    assert len(names) == 3 and {result["structure"] for result in undisturbed["results"]} == set(names)
    for path in parts(study).values():
        path.unlink()
    forget(study)

    score, scored = HypergridTask.score, []

    def until_the_third(self: HypergridTask, structure: str, *arguments: Any, **options: Any) -> Any:
        if structure == names[2]:
            raise KeyboardInterrupt
        scored.append(structure)
        return score(self, structure, *arguments, **options)

    monkeypatch.setattr(HypergridTask, "score", until_the_third)
    with pytest.raises(KeyboardInterrupt):
        stages.evaluate(make_study(reference=REFERENCE))
    assert list(parts(study)) == names[:2] == list(dict.fromkeys(scored))
    monkeypatch.setattr(HypergridTask, "score", score)
    before = {name: path.stat().st_mtime_ns for name, path in parts(study).items()}
    capsys.readouterr()
    again = stages.evaluate(make_study(reference=REFERENCE))
    assert "evaluation: 2 of 3 structures reused" in capsys.readouterr().err
    assert told(again.evaluation) == undisturbed and not again.reused
    assert {name: path.stat().st_mtime_ns for name, path in parts(study).items() if name in before} == before


def test_a_damaged_part_is_judged_again_and_another_structure_needs_that_one_alone(
    make_study: MakeStudy, capsys: pytest.CaptureFixture[str]
) -> None:
    study = trained(make_study())
    undisturbed = told(stages.evaluate(study).evaluation)
    forget(study)
    first, second, third = parts(study).values()
    data = bytearray(first.read_bytes())
    data[len(data) // 2] ^= 4
    first.write_bytes(bytes(data))
    second.write_bytes(third.read_bytes())
    capsys.readouterr()
    assert told(stages.evaluate(make_study()).evaluation) == undisturbed
    said = capsys.readouterr().err
    assert said.count("is damaged") == 2 and "1 of 3 structures reused" in said
    more = make_study(evaluation={**TINY["evaluation"], "structures": ["E*", "4^2"]})
    more_units, units = evaluation_units(more), evaluation_units(study)
    # the latent length follows from the longest structure that is asked for, which E* and 4^2 do not change
    assert [unit.key for unit in more_units[:3]] == [unit.key for unit in units]
    stages.evaluate(more)
    assert "3 of 4 structures reused" in capsys.readouterr().err


def test_one_structure_is_held_at_a_time(make_study: MakeStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    study = trained(make_study())
    rows: list[tuple[str, weakref.ref[torch.Tensor]]] = []
    select, made = Zoo.select, structure_evaluation.judge
    held: list[set[str]] = []

    def counted(self: Zoo, structure: str, *arguments: Any) -> CheckpointSet:
        found = select(self, structure, *arguments)
        rows.append((found.target.structure, weakref.ref(found.weights)))
        return found

    def judged(data: Any, networks: Any, audit: Any) -> Any:
        gc.collect()
        candidates.append(weakref.ref(networks))
        held.append({name for name, weights in rows if weights() is not None})
        assert sum(candidate() is not None for candidate in candidates) == 1, "networks of one method at a time"
        return made(data, networks, audit)

    candidates: list[weakref.ref[Any]] = []
    monkeypatch.setattr(Zoo, "select", counted)
    monkeypatch.setattr(structure_evaluation, "judge", judged)
    stages.evaluate(study)
    assert {len(names) for names in held} <= {0, 1} and set.union(*held) >= set(study.plan.structures)


def test_workers_change_nothing(make_study: MakeStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = trained(make_study(reference=REFERENCE))
    undisturbed = told(stages.evaluate(alone).evaluation)
    forget(alone)
    for path in parts(alone).values():
        path.unlink()
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "platform"))
    spread = make_study(reference=REFERENCE, ray={"num_cpus": 2}, pool={"workers": 2})
    assert spread.evaluation_digest == alone.evaluation_digest
    workers: list[int] = []
    start = pool.Supervisor.__init__

    def counted(self: Any, queue: Any, task: Any, store: Any, config: Any, size: int) -> None:
        workers.append(size)
        start(self, queue, task, store, config, size)

    monkeypatch.setattr(pool.Supervisor, "__init__", counted)
    with spread:
        evaluation = stages.evaluate(spread).evaluation
    assert told(evaluation) == undisturbed and workers == [2] and len(parts(spread)) == 3


def test_what_is_finished_starts_no_ray(make_study: MakeStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    stages.pipeline(make_study())

    def started() -> None:
        raise AssertionError("Ray was started")

    for module in (cluster, pool):
        monkeypatch.setattr(module, "import_ray", started)
    result = stages.pipeline(make_study(ray={}))
    assert result.reused


@pytest.mark.chaos
def test_a_killed_evaluation_goes_on(make_study: MakeStudy, tmp_path: Path) -> None:
    settings = {"evaluation": {"count": 3, "structures": ["E*", "4^2", "5^2", "6^2"]}}
    study = trained(make_study(**settings))
    config = tmp_path / "tiny.yaml"
    config.write_text(json.dumps({"artifacts": str(tmp_path / "artifacts"), **TINY, **settings}))
    command = [sys.executable, "-m", "zoogen.cli", "evaluate", str(config)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "platform"), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        deadline = time.monotonic() + 120
        while not parts(study):
            assert first.poll() is None and time.monotonic() < deadline
            time.sleep(0.005)
        first.send_signal(signal.SIGKILL)
        first.communicate()
    done = parts(study)
    assert 1 <= len(done) < 6
    second = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert f"evaluation: {len(done)} of 6 structures reused" in second.stderr
    resumed = Evaluation.from_json(study.store.get(evaluation_key(study.evaluation_digest)))
    for path in parts(study).values():
        path.unlink()
    forget(study)
    assert told(stages.evaluate(study).evaluation) == told(resumed)
