"""A pipeline that is stopped or killed goes on from there, and trains nothing twice."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tests.signals import as_in_a_terminal

ROOT = Path(__file__).parents[2]
CONFIG = """
study: interrupted
artifacts: {root}
task: {{training: {{iterations: 400, batch_size: 8, checkpoints: 2}}, judge: {{samples: 50}}}}
zoo: {{structures: [F*, A*], runs: 8, validation_runs: 0, test_runs: 1, cohort: 2}}
autoencoder: {{latent: 8, channels: [4, 8], loop: {{iterations: 4, batch_size: 4}}}}
generator:
  denoiser: {{channels: [4, 8], embedding: 8}}
  loop: {{iterations: 4, batch_size: 4}}
  sampler: {{steps: 2}}
evaluation: {{count: 2}}
ray: null
tracking: {{kind: none}}
"""
COHORTS = 2 * (4 + 1)


def run(config: Path, stage: str = "pipeline", *overrides: str) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "platform"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "zoogen.cli", stage, str(config), *overrides]
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Where the tests run in the background of a shell, SIGINT is ignored, and children inherit that.
        preexec_fn=as_in_a_terminal,
    )


def parts(root: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in root.glob("zoo/parts/*/*.parquet")}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["interrupt", "kill"])
def test_the_same_command_goes_on(tmp_path: Path, number: signal.Signals) -> None:
    root, config = tmp_path / "artifacts", tmp_path / "study.yaml"
    config.write_text(CONFIG.format(root=root))
    first = run(config)
    deadline = time.monotonic() + 120
    while len(parts(root)) < 2:
        assert first.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    first.send_signal(number)
    _, said = first.communicate(timeout=60)
    if number == signal.SIGINT:
        assert first.returncode == 130
        assert said.splitlines()[-1].startswith("zoogen: interrupted") and "Traceback" not in said
    before = parts(root)
    assert 2 <= len(before) < COHORTS

    second = run(config)
    out, said = second.communicate(timeout=120)
    assert second.returncode == 0, said
    assert f"{len(before)} cohorts reused" in said and "generated" in out
    assert len(parts(root)) == COHORTS and before.items() <= parts(root).items()


def run_on_ray(folder: Path, number: signal.Signals, *overrides: str) -> tuple[int, str, list[psutil.Process]]:
    """Build a zoo on a local Ray, signal it after its first part; status, what it said, and the processes it had."""
    folder.mkdir(exist_ok=True)
    root, config = folder / "artifacts", folder / "study.yaml"
    config.write_text(CONFIG.format(root=root).replace("ray: null", "ray: {num_cpus: 2}").replace("{kind: none}", "{}"))
    process = run(config, "build-zoo", "tracking.system_metrics=false", *overrides)
    wait_for(lambda: len(parts(root)) >= 1 or process.poll() is not None, "no part is made")
    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    _, said = process.communicate(timeout=120)
    return process.returncode, said, below


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (signal.SIGTERM, 143),
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.chaos),
        pytest.param(signal.SIGHUP, 129, marks=pytest.mark.chaos),
    ],
)
def test_signals_with_ray(tmp_path: Path, migrated: Path, number: signal.Signals, status: int) -> None:
    (tmp_path / "artifacts").mkdir()
    shutil.copy(migrated, tmp_path / "artifacts" / "mlflow.db")
    ended, said, below = run_on_ray(tmp_path, number)
    assert ended == status, said
    assert said.splitlines()[-1].startswith("zoogen: interrupted") and "***" not in said and "Traceback" not in said
    assert len(below) > 3
    wait_for(lambda: gone(below), "processes of Ray are left")
    with sqlite3.connect(tmp_path / "artifacts" / "mlflow.db") as connection:
        assert connection.execute("SELECT status FROM runs").fetchall() == [("KILLED",)]


@pytest.mark.chaos
def test_a_killed_driver_leaves_no_process(tmp_path: Path) -> None:
    ended, _, below = run_on_ray(tmp_path, signal.SIGKILL, "tracking.kind=none")
    assert ended == -signal.SIGKILL
    wait_for(lambda: gone(below), "processes of Ray are left")


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def gone(processes: list[psutil.Process]) -> bool:
    return not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in processes)
