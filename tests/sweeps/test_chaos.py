"""A sweep whose driver is killed without warning, workers and all, and the same command again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.studies import TINY

pytestmark = pytest.mark.chaos
POINTS = [{"name": f"rate={rate:g}", "generator.loop.optimiser.lr": rate} for rate in (0.001, 0.003, 0.01, 0.03)]
DEADLINE = 200  # seconds until a trial must have ended


def start(folder: Path, root: str, *options: str) -> subprocess.Popen[bytes]:
    """`zoogen sweep` in a process group of its own."""
    words = [sys.executable, "-m", "zoogen.cli", "sweep", "sweep.yaml", f"overrides.artifacts={root}", *options]
    source = str(Path(__file__).parents[2] / "platform")
    environment = {**os.environ, "PYTHONPATH": source, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(words, cwd=folder, env=environment, start_new_session=True, stderr=subprocess.PIPE)


def finished_trials(folder: Path, root: str) -> int:
    return len([p for p in (folder / root).glob("sweeps/*/*.json") if p.name not in ("sweep.json", "result.json")])


def table(folder: Path, root: str) -> bytes:
    (found,) = (folder / root).glob("reports/*/table.csv")
    return found.read_bytes()


@pytest.mark.timeout(600)
def test_a_killed_sweep_ends_with_the_table_of_an_undisturbed_one(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(json.dumps({**TINY, "ray": {"num_cpus": 2}}))
    keys = {"study": "chaos", "base": "tiny.yaml", "max_concurrent": 1, "points": POINTS}
    (tmp_path / "sweep.yaml").write_text(json.dumps(keys))

    killed = start(tmp_path, "disturbed")
    deadline = time.monotonic() + DEADLINE
    while finished_trials(tmp_path, "disturbed") < 1:
        assert killed.poll() is None and time.monotonic() < deadline, "no trial ended"
        time.sleep(0.05)
    os.killpg(killed.pid, signal.SIGKILL)  # the driver and what it started in its session
    killed.communicate()
    done = finished_trials(tmp_path, "disturbed")
    assert 1 <= done < len(POINTS), "it was killed half-way"

    for root, options in (("disturbed", ("--resume",)), ("undisturbed", ())):
        run = start(tmp_path, root, *options)
        _, said = run.communicate()
        assert run.returncode == 0, said.decode()
        if root == "disturbed":
            assert f"{done} of {len(POINTS)} trials are there, going on" in said.decode()
    assert table(tmp_path, "disturbed") == table(tmp_path, "undisturbed")
