"""How much memory the training of an autoencoder takes, measured in a process of its own."""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch import Tensor

from zoogen.autoencoders.config import AutoencoderConfig, AutoencoderSection
from zoogen.autoencoders.train import train_codec
from zoogen.config import Config
from zoogen.errors import ZoogenError
from zoogen.weights.layout import ParameterLayout
from zoogen.weights.target import Target
from zoogen.zoo.read import CheckpointSet

_STATUS = Path("/proc/self/status")
_GIB = 2**30


class MemoryFigures(Config):
    """One measured training.

    Attributes:
        parameters: length D of the vectors.
        rows: training checkpoints.
        latent: latent length.
        peak_gib: largest resident memory of the whole process, Python and checkpoints included.
        checkpoints_gib: the checkpoints' own share, 4 D rows bytes.
        seconds: of the training: closed forms and loop.
        first_loss: mean squared error of the first logged stretch of iterations, in units of the scaled weights.
        last_loss: of the last one.
        error: reconstruction error of the checkpoints over their deviation from their mean (`spread_error`).
    """

    parameters: int
    rows: int
    latent: int
    peak_gib: float
    checkpoints_gib: float
    seconds: float
    first_loss: float
    last_loss: float
    error: float


def measure_memory(
    config: AutoencoderConfig, parameters: int, rows: int, *, rank: int = 8, noise: float = 0.1, seed: int = 0
) -> MemoryFigures:
    """Train an autoencoder on the CPU on synthetic trajectories (see `trajectories`) in a new process.

    Raises:
        ZoogenError: the process failed, with its last line.
    """
    request = {
        "autoencoder": config.model_dump(mode="json"),
        "data": {"parameters": parameters, "rows": rows, "rank": rank, "noise": noise, "seed": seed},
    }
    done = subprocess.run([sys.executable, "-m", __name__, json.dumps(request)], capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise ZoogenError(f"measuring the memory of {config.kind} at {parameters} parameters failed: {reason}")
    return MemoryFigures.model_validate_json(done.stdout.splitlines()[-1])


def trajectories(parameters: int, rows: int, rank: int, noise: float, seed: int) -> Tensor:
    """Checkpoints [R, D] around one network: a combination of `rank` directions each, and noise.

    The deviations have a standard deviation of a hundredth of the network's weights; `noise` is the share of the
    noise in it.
    """
    generator = torch.Generator().manual_seed(seed)
    checkpoints = torch.randn(rows, rank, generator=generator) @ torch.randn(rank, parameters, generator=generator)
    checkpoints *= ((1 - noise**2) / rank) ** 0.5
    for row in checkpoints:
        row += noise * torch.randn(parameters, generator=generator)
    return checkpoints.mul_(0.01).add_(torch.randn(parameters, generator=generator))


def _measured(config: AutoencoderConfig, data: Tensor) -> MemoryFigures:
    rows, parameters = data.shape
    where = Target("synthetic", "synthetic", ParameterLayout.of({"weight": (parameters,)}), ())
    checkpoints = CheckpointSet(where, data, torch.zeros(rows), torch.arange(rows), {})
    started = time.perf_counter()
    codec = train_codec(config, [checkpoints], seed=0)
    return MemoryFigures(
        parameters=parameters,
        rows=rows,
        latent=codec.latent,
        peak_gib=_peak_bytes() / _GIB,
        checkpoints_gib=data.nbytes / _GIB,
        seconds=time.perf_counter() - started,
        first_loss=codec.history[0]["loss"],
        last_loss=codec.history[-1]["loss"],
        error=codec.figures["train/synthetic/spread_error"],
    )


def _peak_bytes() -> int:
    """Of this process: on Linux since it began (the C library's figure would include the process that forked it)."""
    if _STATUS.exists():
        (line,) = (line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main(request: str) -> None:
    """Print the figures of a request as JSON."""
    given = json.loads(request)
    config = AutoencoderSection.model_validate({"autoencoder": given["autoencoder"]}).autoencoder
    print(_measured(config, trajectories(**given["data"])).model_dump_json())


if __name__ == "__main__":
    main(sys.argv[1])
