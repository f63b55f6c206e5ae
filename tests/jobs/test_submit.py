"""A real cluster with its dashboard, and a real job: what the README tells a user to type."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
RAY = Path(sys.executable).with_name("ray")
START_SECONDS = 90
JOB_SECONDS = 270
TINY = [
    "study=submitted",
    "task.training.iterations=40",
    "task.training.by_structure={}",
    "task.training.checkpoints=2",
    "task.judge.samples=50",
    "zoo.structures=[F*, A*]",
    "zoo.runs=8",
    "zoo.validation_runs=1",
    "zoo.test_runs=1",
    "zoo.cohort=4",
    "reference=null",
    "autoencoder.latent=8",
    "autoencoder.channels=[4, 8]",
    "autoencoder.loop={iterations: 4, batch_size: 8}",
    "generator.denoiser.channels=[4, 8]",
    "generator.loop={iterations: 4, batch_size: 8}",
    "generator.sampler.steps=2",
    "evaluation.count=2",
    "evaluation.structures=[E*]",
    "tracking.kind=none",
]


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for opened in sockets:
            opened.bind(("127.0.0.1", 0))
        return [opened.getsockname()[1] for opened in sockets]
    finally:
        for opened in sockets:
            opened.close()


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "ZOOGEN_", "PYTEST_"))}
    return kept | {
        "HOME": str(home),
        "PATH": f"{RAY.parent}{os.pathsep}{os.environ['PATH']}",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    # Ray puts Unix sockets below it, whose paths are limited to about 100 characters.
    folder = Path(tempfile.mkdtemp(prefix="zj", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def dashboard(home: Path) -> Iterator[str]:
    """Address of a cluster of this test's own; it alone is stopped at the end."""
    gcs, web, agent, agent_grpc, metrics, client, node, objects = free_ports(8)
    ports = {
        "port": gcs,
        "dashboard-port": web,
        "dashboard-agent-listen-port": agent,
        "dashboard-agent-grpc-port": agent_grpc,
        "metrics-export-port": metrics,
        "ray-client-server-port": client,
        "node-manager-port": node,
        "object-manager-port": objects,
    }
    command = [str(RAY), "start", "--head", "--block", "--num-cpus=2", "--object-store-memory=200000000"]
    command += ["--dashboard-host=127.0.0.1", f"--temp-dir={home}/ray", *(f"--{k}={v}" for k, v in ports.items())]
    log = home / "start.log"
    with log.open("w") as output:
        head = subprocess.Popen(
            command, env=environment(home), stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        address = f"http://127.0.0.1:{web}"
        deadline = time.monotonic() + START_SECONDS
        while not _answers(f"{address}/api/jobs/"):
            assert head.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield address
    finally:
        started = psutil.Process(head.pid).children(recursive=True) if head.poll() is None else []
        head.send_signal(signal.SIGTERM)  # `ray start --block` then ends the processes it started
        _, alive = psutil.wait_procs(started, timeout=5)
        for process in [*alive, head]:
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                process.kill()
        head.wait(20)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def submit(address: str, home: Path, *entrypoint: str) -> subprocess.CompletedProcess[str]:
    variables = {"PYTHONPATH": "platform", "ZOOGEN_HOME": str(home / "results")}
    command = [str(RAY), "job", "submit", "--address", address, "--working-dir", str(ROOT)]
    command += ["--runtime-env-json", json.dumps({"env_vars": variables}), "--", *entrypoint]
    return subprocess.run(
        command, env=environment(home), capture_output=True, text=True, timeout=JOB_SECONDS, check=False
    )


@pytest.mark.timeout(600)
def test_submitted_pipeline_leaves_its_results_and_does_nothing_twice(dashboard: str, home: Path) -> None:
    entrypoint = ("python", "jobs/pipeline.py", "configs/genflownet/padded.yaml", *TINY)
    first = submit(dashboard, home, *entrypoint)
    assert first.returncode == 0, first.stdout + first.stderr
    # A job's working folder is deleted with it: a relative artifact root lies in ZOOGEN_HOME instead.
    root = home / "results" / "artifacts"
    kinds = {path.relative_to(root).parts[0] for path in root.rglob("*") if path.is_file()}
    assert {"zoo", "autoencoders", "generators", "evaluations", "reports"} <= kinds
    assert len(list(root.glob("zoo/parts/*/*.parquet"))) == 2 * (2 + 1)
    assert "generated" in first.stdout

    parts = {path: path.stat().st_mtime_ns for path in root.glob("[zage]*/**/*") if path.is_file()}
    second = submit(dashboard, home, *entrypoint)
    assert second.returncode == 0, second.stdout + second.stderr
    assert (second.stdout + second.stderr).count("reused") >= 4
    assert {path: path.stat().st_mtime_ns for path in root.glob("[zage]*/**/*") if path.is_file()} == parts


@pytest.mark.timeout(300)
def test_job_with_a_mistake_fails_with_one_line(dashboard: str, home: Path) -> None:
    failed = submit(dashboard, home, "python", "jobs/build_zoo.py", "configs/genflownet/quick.yaml", "zoo.rusn=8")
    output = failed.stdout + failed.stderr
    assert failed.returncode != 0
    assert "unknown key zoo.rusn (did you mean runs?)" in output and "Traceback" not in output
