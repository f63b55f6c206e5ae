"""Where runs are tracked, and that no password is a part of it."""

import pytest

from zoogen.config import parse_config
from zoogen.errors import ZoogenError
from zoogen.tracking.config import TrackingConfig

KEYED = [
    "http://user:hush@host:5000",
    "http://hush@host",
    "HTTPS://user:hush@host",
    "https://host?token=hush",
    "https://host/?hush",
    "https://host/#hush",
    "postgresql://user:hush@host/db",
    "postgresql+psycopg2://user:hu/sh@host/db",
    "mysql+pymysql://user%3Ahush@host/db",
    "postgresql://host/db?password=hush",
    "user:hush@host",
    "sqlite:////folder/x.db?password=hush",
]


@pytest.mark.parametrize("uri", KEYED)
def test_passwords_are_refused_and_not_repeated(uri: str) -> None:
    with pytest.raises(ZoogenError) as error:
        parse_config(TrackingConfig, {"uri": uri}, "study.yaml")
    line = str(error.value)
    assert line.startswith("study.yaml: uri: ") and "\n" not in line
    assert "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD" in line
    assert "hush" not in line and "hu/sh" not in line


@pytest.mark.parametrize(
    "uri",
    ["http://127.0.0.1:5000", "https://host/path", "sqlite:////a b/50%/m@x.db", "postgresql+psycopg2://user@host/db"],
)
def test_other_uris_are_taken(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_PASSWORD", raising=False)
    config = TrackingConfig(uri=uri)
    assert (config.uri, config.store_uri) == (uri, uri)


def test_a_database_has_its_password_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "some body")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "p@/:w")
    config = TrackingConfig(uri="postgresql+psycopg2://user@host:5432/db?sslmode=require")
    assert config.store_uri == "postgresql+psycopg2://user:p%40%2F%3Aw@host:5432/db?sslmode=require"
    assert TrackingConfig(uri="mysql://host/db").store_uri == "mysql://some%20body:p%40%2F%3Aw@host/db"
    assert TrackingConfig(uri="http://host").store_uri == "http://host", "MLflow itself sends them to a server"
    assert "p%40" not in repr(config) + config.model_dump_json()
    assert TrackingConfig().store_uri is None
