"""All tasks: the union of their configurations, and from configuration to task."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from zoogen.config import Config, parse_config
from zoogen.errors import ZoogenError
from zoogen.tasks.base import Task
from zoogen.tasks.hypergrid.config import HypergridConfig
from zoogen.tasks.hypergrid.task import HypergridTask
from zoogen.tasks.torchgfn.config import TorchgfnConfig
from zoogen.tasks.torchgfn.task import TorchgfnTask

# A further task joins here, in `_CONFIGS` and in `build_task`.
TaskConfig = Annotated[HypergridConfig | TorchgfnConfig, Field(discriminator="kind")]
_CONFIGS: Mapping[str, type[Config]] = {"hypergrid": HypergridConfig, "torchgfn": TorchgfnConfig}


def build_task(config: HypergridConfig | TorchgfnConfig) -> Task:
    """The task of a configuration."""
    return TorchgfnTask(config) if isinstance(config, TorchgfnConfig) else HypergridTask(config)


def task_from_mapping(resolved: Mapping[str, Any]) -> Task:
    """The task of a configuration as a JSON-like mapping, for example `Task.resolved()` of an artifact.

    Raises:
        ZoogenError: the kind is unknown or the mapping is no configuration of it.
    """
    kind = str(resolved.get("kind"))
    if kind not in _CONFIGS:
        raise ZoogenError(f"unknown task {kind!r}; known: {', '.join(sorted(_CONFIGS))}")
    config = parse_config(_CONFIGS[kind], dict(resolved), f"task {kind}")
    assert isinstance(config, HypergridConfig | TorchgfnConfig)
    return build_task(config)
