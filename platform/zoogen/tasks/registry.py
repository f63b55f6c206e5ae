"""All tasks: the union of their configurations, and from configuration to task."""

from collections.abc import Mapping
from typing import Any

from zoogen.config import Config, parse_config
from zoogen.errors import ZoogenError
from zoogen.shown import shown
from zoogen.tasks.base import Task
from zoogen.tasks.config import AnyTaskConfig
from zoogen.tasks.hypergrid.config import HypergridConfig
from zoogen.tasks.hypergrid.task import HypergridTask
from zoogen.tasks.images.config import ImagesConfig
from zoogen.tasks.images.content import shared_contents
from zoogen.tasks.images.task import ImagesTask
from zoogen.tasks.torchgfn.config import TorchgfnConfig
from zoogen.tasks.torchgfn.task import TorchgfnTask

__all__ = ["build_task", "shared_contents", "task_from_mapping"]

# A further task joins here, in `config.py` and in `build_task`.
_CONFIGS: Mapping[str, type[Config]] = {
    "hypergrid": HypergridConfig,
    "torchgfn": TorchgfnConfig,
    "images": ImagesConfig,
}


def build_task(config: AnyTaskConfig) -> Task:
    """The task of a configuration."""
    match config:
        case ImagesConfig():
            return ImagesTask(config)
        case TorchgfnConfig():
            return TorchgfnTask(config)
        case HypergridConfig():
            return HypergridTask(config)


def task_from_mapping(resolved: Mapping[str, Any]) -> Task:
    """The task of a configuration as a JSON-like mapping, for example `Task.resolved()` in a weights file.

    Such a file may come from anywhere, so that no code is run that it names.

    Raises:
        ZoogenError: the kind is unknown, the mapping is no configuration of it, or it names a Python file.
    """
    kind = str(resolved.get("kind"))
    if kind not in _CONFIGS:
        raise ZoogenError(f"unknown task {shown(kind)}; known: {', '.join(sorted(_CONFIGS))}")
    config = parse_config(_CONFIGS[kind], dict(resolved), f"task {kind}")
    assert isinstance(config, AnyTaskConfig)
    if isinstance(config, ImagesConfig) and config.own is not None:
        raise ZoogenError(f"these networks need the Python file {config.own}; give the study's CONFIG that names it")
    return build_task(config)
