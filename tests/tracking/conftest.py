"""One migrated database for all tests: a fresh one takes seconds."""

import os
import shutil
from pathlib import Path

import pytest

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


@pytest.fixture(scope="session")
def migrated(tmp_path_factory) -> Path:
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}")
    return path


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
