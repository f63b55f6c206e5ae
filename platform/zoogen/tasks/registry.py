"""All tasks: the union of their configurations, and from configuration to task."""

from collections.abc import Mapping
from typing import Any

from zoogen.config import Config, parse_config
from zoogen.errors import ZoogenError
from zoogen.tasks.base import Task
from zoogen.tasks.hypergrid.config import HypergridConfig
from zoogen.tasks.hypergrid.task import HypergridTask

# A further task joins as `Annotated[HypergridConfig | OtherConfig, Field(discriminator="kind")]` here, and below.
TaskConfig = HypergridConfig
_CONFIGS: Mapping[str, type[Config]] = {"hypergrid": HypergridConfig}


def build_task(config: TaskConfig) -> Task:
    """The task of a configuration."""
    return HypergridTask(config)


def task_from_mapping(resolved: Mapping[str, Any]) -> Task:
    """The task of a configuration as a JSON-like mapping, for example `Task.resolved()` of an artifact.

    Raises:
        ZoogenError: the kind is unknown or the mapping is no configuration of it.
    """
    kind = resolved.get("kind")
    if kind not in _CONFIGS:
        raise ZoogenError(f"unknown task {kind!r}; known: {', '.join(sorted(_CONFIGS))}")
    config = parse_config(_CONFIGS[kind], dict(resolved), f"task {kind}")
    assert isinstance(config, HypergridConfig)
    return build_task(config)
