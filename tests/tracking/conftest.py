"""A root with a database, and MLflow's view of it."""

import os
import shutil
from pathlib import Path

import pytest

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


@pytest.fixture
def root(migrated, tmp_path) -> Path:
    """An artifact root with an empty tracking database."""
    folder = tmp_path / "artifacts"
    folder.mkdir()
    shutil.copy(migrated, folder / "mlflow.db")
    return folder


@pytest.fixture
def client(root):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{root}/mlflow.db")
