"""What one measurement of memory runs in a process of its own: `python -m zoogen.benchmarks.memory_process`.

An order as JSON comes in on standard input, one line of JSON with a `MemoryReading` goes out.
"""

import os
import resource
import sys
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from zoogen.autoencoders.config import TrainedAutoencoderBase
from zoogen.autoencoders.train import train_codec
from zoogen.benchmarks.weights_config import Device, MemoryCase
from zoogen.evaluation.records import Record, read_record
from zoogen.weights.layout import ParameterLayout
from zoogen.weights.target import Target
from zoogen.zoo.read import CheckpointSet

_STATUS = Path("/proc/self/status")
TENSORS = 16  # of the synthetic networks: scalings per tensor have something to do
RANK, DRIFT, NOISE = 8, 0.05, 0.01  # trajectories: a slow walk in a few directions, and noise of each step


class MemoryOrder(Record):
    """What to measure, and the gigabytes that the process may take."""

    case: MemoryCase
    device: Device
    threads: int
    checkpoints: int
    iterations: int
    limit: float
    seed: int


class MemoryReading(Record):
    """What a training took.

    Attributes:
        state: `over`: more than the limit was asked for.
        before: megabytes of the process before the training: interpreter, libraries, checkpoints.
        peak: most megabytes that the process had, those before included; on `cuda` that torch reserved there.
        seconds: of the whole training, fitting, encoding and figures included.
        loss: first and last of the loop.
    """

    state: Literal["ok", "over"]
    before: float
    peak: float
    seconds: float = 0.0
    loss: tuple[float, ...] = ()


def trajectory(order: MemoryOrder) -> CheckpointSet:
    """Synthetic checkpoints [R, D] of one run."""
    generator, size = torch.Generator().manual_seed(order.seed), order.case.parameters
    walk = torch.randn(order.checkpoints, RANK, generator=generator).cumsum(0) / order.checkpoints**0.5
    weights = torch.randn(size, generator=generator).expand(order.checkpoints, size).clone()
    weights.addmm_(walk, torch.randn(RANK, size, generator=generator), alpha=DRIFT)
    for row in weights:
        row.add_(torch.randn(size, generator=generator), alpha=NOISE)
    rows = torch.arange(order.checkpoints)
    target = Target("synthetic", "synthetic", _layout(size), (0.0,))
    return CheckpointSet(target, weights, torch.zeros_like(rows), rows, {})


def measure(order: MemoryOrder) -> MemoryReading:
    """Train on synthetic checkpoints within the limit."""
    torch.set_num_threads(order.threads)
    config = order.case.autoencoder
    assert isinstance(config, TrainedAutoencoderBase), "a case has a loop"
    schedule = config.loop.schedule.model_copy(update={"warmup": 0})
    changes = {"iterations": order.iterations, "batch_size": order.case.batch, "schedule": schedule, "log_every": 1}
    config = config.model_copy(update={"loop": config.loop.model_copy(update=changes)})
    train, before = trajectory(order), process_megabytes()
    _limit(order)
    try:
        codec = train_codec(config, [train], [], seed=order.seed, device=order.device)
    except (MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            raise
        return MemoryReading(state="over", before=before, peak=_peak(order.device))
    losses = [figures["loss"] for figures in codec.history if "loss" in figures]
    ends = (losses[0], losses[-1]) if losses else ()
    return MemoryReading(state="ok", before=before, peak=_peak(order.device), seconds=codec.seconds, loss=ends)


def process_megabytes() -> float:
    """Most memory that this process has had so far, in megabytes of 10^6 bytes.

    On Linux since it began: the C library's figure would include the process that forked it.
    """
    if _STATUS.exists():
        (line,) = (line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _peak(device: Device) -> float:
    return torch.cuda.max_memory_reserved() / 1e6 if device == "cuda" else process_megabytes()


def _limit(order: MemoryOrder) -> None:
    if order.device == "cuda":
        share = order.limit * 1e9 / torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, share))
    else:
        bytes_, hard = int(order.limit * 1e9), resource.getrlimit(resource.RLIMIT_DATA)[1]
        resource.setrlimit(resource.RLIMIT_DATA, (bytes_, hard))


def _out_of_memory(error: Exception) -> bool:
    text = str(error)
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in text or "bad_alloc" in text


def _layout(size: int) -> ParameterLayout:
    sizes: Tensor = torch.full((min(TENSORS, size),), size // min(TENSORS, size))
    sizes[0] += size - int(sizes.sum())
    return ParameterLayout.of({f"tensor{index}": (int(number),) for index, number in enumerate(sizes)})


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print goes to standard error, not into the answer
    order = read_record(MemoryOrder, sys.stdin.read(), "the order")
    answers.write(measure(order).model_dump_json() + "\n")
    answers.close()


if __name__ == "__main__":
    main()
