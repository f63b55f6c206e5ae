"""A dry run: the resolved configuration, without what computes.

This module imports neither torch nor Ray nor MLflow, so that checking a configuration takes a moment.
"""

import json
from collections.abc import Sequence

from zoogen.config import load_config
from zoogen.pipelines.config import PipelineConfig, resolved_json


def print_configuration(config: str | None, overrides: Sequence[str], weights: str | None = None) -> None:
    """Print what a configuration file and overrides of it resolve to, as JSON; without one, whose weights are judged.

    Raises:
        ZoogenError: the file or an override is wrong.
    """
    if config is None:
        print(json.dumps({"weights": weights}))
    else:
        print(resolved_json(load_config(PipelineConfig, config, list(overrides))))
