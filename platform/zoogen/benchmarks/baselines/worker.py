"""Runs one contender in an interpreter of its own: `python worker.py <contender> '<JSON workload>'`.

Prints one JSON line when it is warm, then answers each line with a number of iterations on standard
input by a JSON line with wall-clock and processor seconds. Imports nothing of zoogen by itself, so an
interpreter that has only the contender's dependencies can run it. The parent process sets the
variables that hold libraries to one thread, before anything is imported.
"""

import importlib.util
import json
import os
import sys
import time
from importlib import metadata
from typing import Any

_FOLDER = os.path.dirname(os.path.realpath(__file__))
# Python puts a program's folder first, where gfnx.py would shadow the library of the same name.
sys.path[:] = [entry for entry in sys.path if os.path.realpath(entry or ".") != _FOLDER]


def load(contender: str) -> Any:
    """The module of a contender, by its file."""
    path = os.path.join(_FOLDER, f"{contender}.py")
    spec = importlib.util.spec_from_file_location(f"contender_{contender}", path)
    if spec is None or spec.loader is None or not os.path.exists(path):
        raise SystemExit(f"no contender {contender}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def serve(contender: str, workload: dict[str, Any], core: int | None) -> None:
    """Warm up, then answer requests on standard input until it closes."""
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print goes to standard error, not between the answers
    module = load(contender)
    run = module.build(workload)
    run(workload["warm_up"])
    versions = {name: metadata.version(name) for name in module.PACKAGES}
    answers.write(json.dumps({"ready": True, "versions": versions}) + "\n")
    for line in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        log_z = run(int(line))
        seconds = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        answers.write(json.dumps({**seconds, "log_z": log_z}) + "\n")


if __name__ == "__main__":
    serve(sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else None)
