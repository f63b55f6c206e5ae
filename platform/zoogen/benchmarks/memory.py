"""Peak memory of training autoencoders on vectors of many lengths, beside p-diff's Table 13."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import zoogen
from zoogen.benchmarks.measured import BenchmarkConsole, Measured
from zoogen.benchmarks.memory_process import MemoryOrder, MemoryReading
from zoogen.benchmarks.result import Cell, Measure
from zoogen.benchmarks.weights_config import MemoryBenchmark, MemoryCase
from zoogen.errors import ZoogenError
from zoogen.evaluation.records import read_record

METHOD = (
    "Every case trains its autoencoder for {iterations} iterations on {checkpoints} synthetic checkpoints (a slow walk "
    "in a few directions, and noise) in a process of its own that may take {limit:g} GB; the peak is that of {what}. "
    "The paper's megabytes are those of its GPU (p-diff, Table 13)."
)
_WHAT = {
    "cpu": "the whole process, interpreter, libraries and checkpoints included",
    "cuda": "what torch reserved on the GPU",
}


def measure_memory(config: MemoryBenchmark, console: BenchmarkConsole) -> Measured:
    """One process after the other."""
    measures: list[Measure] = []
    rows: list[dict[str, Cell]] = []
    with console.progress("memory", "cases") as report:
        for done, case in enumerate(config.cases):
            reading = read_memory(config, case)
            rows.append(_row(config, case, reading))
            if case.target is not None:
                gigabytes = reading.peak / 1e3 if reading.state == "ok" else float("inf")
                measures.append(
                    Measure(name=f"peak of {case.name}", value=gigabytes, unit="GB", better="lower", target=case.target)
                )
            report(done + 1, len(config.cases), {"MB": reading.peak})
    method = METHOD.format(
        iterations=config.iterations, checkpoints=config.checkpoints, limit=config.limit, what=_WHAT[config.device]
    )
    return Measured("Memory of training autoencoders", method, tuple(measures), tuple(rows))


def read_memory(config: MemoryBenchmark, case: MemoryCase) -> MemoryReading:
    """Measure one case.

    Raises:
        ZoogenError: the process failed otherwise than by asking for too much memory, or took too long.
    """
    shared = config.model_dump(include={"device", "threads", "checkpoints", "iterations", "limit", "seed"})
    order = MemoryOrder(case=case, **shared)
    environment = {**os.environ, "OMP_NUM_THREADS": str(config.threads)}
    environment["PYTHONPATH"] = str(Path(zoogen.__file__).parents[1])
    command = [sys.executable, "-m", "zoogen.benchmarks.memory_process"]
    try:
        ended = subprocess.run(
            command,
            input=order.model_dump_json(),
            env=environment,
            capture_output=True,
            text=True,
            timeout=config.timeout,
        )
    except subprocess.TimeoutExpired:
        raise ZoogenError(
            f"memory case {case.name} took more than {config.timeout:g} s; raise timeout, or leave it out"
        ) from None
    if ended.returncode == -signal.SIGKILL:  # the system ended it for want of memory
        return MemoryReading(state="over", before=0.0, peak=0.0)
    if ended.returncode:
        last = [line.strip() for line in ended.stderr.splitlines() if line.strip()][-1:]
        reason = " ".join(last) or f"status {ended.returncode}"
        raise ZoogenError(f"memory case {case.name} failed: {reason[:240]}")
    return read_record(MemoryReading, ended.stdout, f"the answer of case {case.name}")


def _row(config: MemoryBenchmark, case: MemoryCase, reading: MemoryReading) -> dict[str, Cell]:
    ok = reading.state == "ok"
    return {
        "case": case.name,
        "autoencoder": case.autoencoder.kind,
        "parameters": case.parameters,
        "latent": getattr(case.autoencoder, "latent", None),
        "batch": case.batch,
        "peak MB": reading.peak if ok else f"over {1000 * config.limit:.0f}",
        "before MB": reading.before,
        "paper MB": case.paper,
        "s per iteration": reading.seconds / config.iterations if ok else None,
        "loss": " → ".join(f"{value:.3g}" for value in reading.loss) if reading.loss else None,
    }
