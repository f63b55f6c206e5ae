"""From a configuration file to a study."""

import shlex
from collections.abc import Sequence

import torch

from zoogen.config import load_config
from zoogen.console import Console
from zoogen.pipelines.config import PipelineConfig
from zoogen.pipelines.context import Study


def open_study(config: str, overrides: Sequence[str], console: Console | None = None) -> Study:
    """The study of a configuration file; from here on this process computes with the threads that it asks for.

    Raises:
        ZoogenError: the file or an override is wrong.
    """
    loaded = load_config(PipelineConfig, config, list(overrides))
    # One by default: two intra-op threads on a busy machine can be many times slower, and may give other last bits.
    torch.set_num_threads(loaded.threads)
    return Study(loaded, console or Console(), shlex.join([config, *overrides]))
