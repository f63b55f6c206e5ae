"""A dry run: the resolved configuration, without what computes.

This module imports neither torch nor Ray nor MLflow, so that checking a configuration takes a moment.
"""

import json
from collections.abc import Mapping, Sequence

from zoogen.config import load_config
from zoogen.pipelines.config import PipelineConfig, resolved_json


def print_configuration(config: str | None, overrides: Sequence[str], files: Mapping[str, str]) -> None:
    """Print what a configuration file and overrides of it resolve to, as JSON; without one, the files that are read.

    Raises:
        ZoogenError: the file or an override is wrong.
    """
    if config is None:
        print(json.dumps(dict(files)))
    else:
        print(resolved_json(load_config(PipelineConfig, config, list(overrides))))
