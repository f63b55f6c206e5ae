"""A pipeline that is stopped or killed goes on from there, and trains nothing twice."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

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


def run(config: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "platform"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "zoogen.cli", "pipeline", str(config)]
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Where the tests run in the background of a shell, SIGINT is ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
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
