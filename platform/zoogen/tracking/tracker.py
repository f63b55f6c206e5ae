"""The way into the tracking: `open_tracker`, and the types that stages speak to."""

from collections.abc import Callable
from pathlib import Path

from zoogen.tracking.base import NullTracker, Run, Tracker
from zoogen.tracking.config import TrackingConfig
from zoogen.tracking.mlflow_tracker import MlflowTracker, ui_command

__all__ = ["NullTracker", "Run", "Tracker", "TrackingConfig", "open_tracker", "ui_command"]


def open_tracker(
    config: TrackingConfig, root: Path | None, study: str, say: Callable[[str], None] = lambda _: None
) -> Tracker:
    """The tracker of a configuration; mlflow is imported only if it is asked for.

    Args:
        config: where to track.
        root: local artifact root, None if it is remote.
        study: name of the experiment.
        say: told notices, one line each.

    Raises:
        ZoogenError: MLflow's store cannot be reached or made.

    Example:
        >>> tracker = open_tracker(TrackingConfig(kind="none"), None, "study")
        >>> with tracker.pipeline("0123", config={"zoo": {"runs": 8}}), tracker.stage("build-zoo", "4567") as run:
        ...     run.metrics({"loss": 0.5}, step=1, split="train")
    """
    return NullTracker() if config.kind == "none" else MlflowTracker(config, root, study, say)
