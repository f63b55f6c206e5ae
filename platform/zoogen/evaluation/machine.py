"""Where and when numbers were made: versions, hardware, date and source revision."""

import os
import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import torch

from zoogen.evaluation.result import Environment
from zoogen.zoo.provenance import git_revision

_PACKAGES = ("zoogen", "torch", "numpy", "safetensors", "pyarrow", "ray", "mlflow")


def describe_environment(device: str = "cpu") -> Environment:
    """The environment of this process, computing on `device`."""
    hardware = {
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "threads": str(torch.get_num_threads()),
        "device": device,
    }
    if device.startswith("cuda") and torch.cuda.is_available():
        hardware["gpu"] = torch.cuda.get_device_name(torch.device(device))
    return Environment(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        versions={"python": platform.python_version(), **_versions()},
        hardware=hardware,
        git=git_revision(),
    )


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"
