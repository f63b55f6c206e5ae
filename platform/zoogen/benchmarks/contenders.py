"""Contenders of the trainer benchmark as processes that take turns."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zoogen
from zoogen.errors import ZoogenError

WORKER = Path(__file__).parent / "baselines" / "worker.py"
PYTHON_VARIABLE = "ZOOGEN_BENCH_PYTHON"  # an interpreter that has the extra `bench`, if this one has not
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
}


@dataclass(frozen=True)
class Timing:
    """Seconds of some iterations.

    Attributes:
        wall: as a clock on the wall sees them.
        cpu: processor time of the process; well below `wall` if others had the core.
        log_z: mean estimate of log Z afterwards, to see that training works.
    """

    wall: float
    cpu: float
    log_z: float


@dataclass(frozen=True)
class Contender:
    """A warm process that trains on request.

    Attributes:
        versions: of the packages that matter to it.
    """

    name: str
    versions: dict[str, str]
    process: subprocess.Popen[str]
    log: Path

    def train(self, iterations: int) -> Timing:
        """Train that long; blocks."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{iterations}\n")
        self.process.stdin.flush()
        return Timing(**_answer(self.name, self.process, self.log))


def interpreter_of(name: str) -> str | None:
    """The interpreter that can run a contender, None if there is none."""
    if name != "gfnx" or importlib.util.find_spec("gfnx") is not None:
        return sys.executable
    return os.environ.get(PYTHON_VARIABLE) or None


@contextmanager
def contender(name: str, workload: dict[str, Any], core: int | None = None) -> Iterator[Contender]:
    """Start a contender with one thread, wait until it is warm, and end it afterwards.

    Raises:
        ZoogenError: no interpreter has its packages, or it failed.
    """
    python = interpreter_of(name)
    if python is None:
        raise ZoogenError(f"{name} is not installed: install the extra bench, or name a Python in {PYTHON_VARIABLE}")
    environment = os.environ | _ONE_THREAD
    if python == sys.executable:  # an interpreter of its own must not see this one's packages
        environment["PYTHONPATH"] = str(Path(zoogen.__file__).parents[1])
    else:
        environment.pop("PYTHONPATH", None)
    command = [python, str(WORKER), name, json.dumps(workload), *([] if core is None else [str(core)])]
    with tempfile.TemporaryDirectory(prefix="zoogen-bench-") as folder:
        log = Path(folder) / "stderr.txt"
        with log.open("w") as errors:
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        try:
            ready = _answer(name, process, log)
            yield Contender(name, ready["versions"], process, log)
        finally:
            process.kill()
            process.communicate()


def _answer(name: str, process: subprocess.Popen[str], log: Path) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        process.wait()
        last = [entry.strip() for entry in log.read_text().splitlines() if entry.strip()][-1:]
        raise ZoogenError(f"contender {name} ended with status {process.returncode}: {' '.join(last) or 'no message'}")
    answer: dict[str, Any] = json.loads(line)
    return answer
