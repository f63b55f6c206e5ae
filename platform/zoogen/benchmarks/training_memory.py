"""How much memory the training of an autoencoder takes, measured in a process of its own."""

import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from zoogen.autoencoders.config import AutoencoderConfig, AutoencoderSection
from zoogen.autoencoders.train import train_codec
from zoogen.config import Config
from zoogen.errors import ZoogenError
from zoogen.exits import Exit
from zoogen.seeds import seeded_generator
from zoogen.weights.layout import ParameterLayout
from zoogen.weights.target import Target
from zoogen.zoo.read import CheckpointSet

_STATUS = Path("/proc/self/status")
_GIB = 2**30


class OverLimit(ZoogenError):
    """A training that needs more memory than it was given."""


class MemoryFigures(Config):
    """One measured training.

    Attributes:
        parameters: length D of the vectors.
        rows: training checkpoints.
        latent: latent length.
        peak_gib: largest resident memory of the whole process, Python and checkpoints included; on `cuda` the largest
            memory that torch reserved there.
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
    config: AutoencoderConfig,
    parameters: int,
    rows: int,
    *,
    rank: int = 8,
    noise: float = 0.1,
    seed: int = 0,
    device: Literal["cpu", "cuda"] = "cpu",
    threads: int = 1,
    limit_gib: float | None = None,
) -> MemoryFigures:
    """Train an autoencoder on synthetic trajectories (see `trajectories`) in a new process.

    Args:
        threads: of torch.
        limit_gib: memory that the process may take (on `cuda`: of the device), so that what cannot fit ends at once and
            alone; on the CPU enforced on Linux only.

    Raises:
        OverLimit: it asked for more, or the system ended it.
        ZoogenError: the process failed otherwise, with its last line.
    """
    request = {
        "autoencoder": config.model_dump(mode="json"),
        "data": {"parameters": parameters, "rows": rows, "rank": rank, "noise": noise, "seed": seed},
        "where": {"device": device, "threads": threads, "limit_gib": limit_gib},
    }
    done = subprocess.run([sys.executable, "-m", __name__, json.dumps(request)], capture_output=True, text=True)
    if done.returncode in (Exit.OVER_LIMIT, -signal.SIGKILL):
        raise OverLimit(f"{config.kind} at {parameters} parameters needs more memory than it was given")
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise ZoogenError(f"measuring the memory of {config.kind} at {parameters} parameters failed: {reason}")
    return MemoryFigures.model_validate_json(done.stdout.splitlines()[-1])


def trajectories(parameters: int, rows: int, rank: int, noise: float, seed: int) -> Tensor:
    """Checkpoints [R, D] around one network: a combination of `rank` directions each, and noise.

    The deviations have a standard deviation of a hundredth of the network's weights; `noise` is the share of the
    noise in it.
    """
    generator = seeded_generator(seed)
    checkpoints = torch.randn(rows, rank, generator=generator) @ torch.randn(rank, parameters, generator=generator)
    checkpoints *= ((1 - noise**2) / rank) ** 0.5
    for row in checkpoints:
        row += noise * torch.randn(parameters, generator=generator)
    return checkpoints.mul_(0.01).add_(torch.randn(parameters, generator=generator))


def _measured(
    config: AutoencoderConfig, data: Tensor, device: str, threads: int, limit_gib: float | None
) -> MemoryFigures:
    rows, parameters = data.shape
    where = Target("synthetic", "synthetic", ParameterLayout.of({"weight": (parameters,)}), ())
    checkpoints = CheckpointSet(where, data, torch.zeros(rows), torch.arange(rows), {})
    torch.set_num_threads(threads)
    if limit_gib is not None:
        _limit(int(limit_gib * _GIB), device)
    started = time.perf_counter()
    codec = train_codec(config, [checkpoints], seed=0, device=device)
    return MemoryFigures(
        parameters=parameters,
        rows=rows,
        latent=codec.latent,
        peak_gib=(torch.cuda.max_memory_reserved() if device == "cuda" else _peak_bytes()) / _GIB,
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


def _limit(limit: int, device: str) -> None:
    """Let this process have so many bytes, and no more."""
    if device == "cuda":
        torch.cuda.set_per_process_memory_fraction(min(1.0, limit / torch.cuda.get_device_properties(0).total_memory))
    else:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def main(request: str) -> None:
    """Print the figures of a request as JSON."""
    given = json.loads(request)
    config = AutoencoderSection.model_validate({"autoencoder": given["autoencoder"]}).autoencoder
    try:
        print(_measured(config, trajectories(**given["data"]), **given["where"]).model_dump_json())
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error):
            sys.exit(Exit.OVER_LIMIT)
        raise


if __name__ == "__main__":
    main(sys.argv[1])
