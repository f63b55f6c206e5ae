"""What hinders a tracking store is said with the command that helps."""

import shlex
import shutil
import sqlite3
import sys
from pathlib import Path

import pytest

from zoogen.errors import ZoogenError
from zoogen.tracking import place
from zoogen.tracking.failures import explained
from zoogen.tracking.tracker import TrackingConfig, open_tracker

PYTHON = shlex.quote(sys.executable)


def refusal(root: Path | None, uri: str | None = None) -> str:
    with pytest.raises(ZoogenError) as caught:
        open_tracker(TrackingConfig(uri=uri, system_metrics=False), root, "study")
    text = str(caught.value)
    assert "\n" not in text and "Traceback" not in text and text.endswith("or set tracking.kind=none")
    assert "start the server" not in text or (uri or "").startswith("http")
    return text


def revision(database: Path, name: str) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (name,))


def test_a_database_of_a_newer_mlflow(root: Path) -> None:
    revision(root / "mlflow.db", "ffff00001111")
    assert "newer MLflow than the installed" in (text := refusal(root))
    assert f"`{PYTHON} -m pip install --upgrade mlflow`" in text


def test_a_database_of_an_older_mlflow(root: Path) -> None:
    revision(root / "mlflow.db", "451aebb31d03")
    text, file = refusal(root), root / "mlflow.db"
    assert f"`cp {file} {file}.before && {PYTHON} -m mlflow db upgrade sqlite:///{file}`" in text


def test_a_locked_database(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "_LOCK_SECONDS", 0.05)
    holder = sqlite3.connect(root / "mlflow.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        assert f"database is locked; another process holds it: `fuser -v {root}/mlflow.db`" in refusal(root)
    finally:
        holder.close()


@pytest.mark.parametrize("name", ["mlflow.db", "mlartifacts"])
def test_a_link_out_of_the_root_is_not_followed(tmp_path: Path, name: str) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / name).symlink_to(tmp_path / "outside")
    with pytest.raises(ZoogenError, match=f"{name} is a symbolic link that leads out of the artifact root"):
        open_tracker(TrackingConfig(system_metrics=False), tmp_path / "root", "study")
    assert not (tmp_path / "outside").exists()


def test_a_folder_in_place_of_the_database(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").mkdir()
    assert f"`ls -ld {tmp_path} {tmp_path}/mlflow.db`" in refusal(tmp_path)


def test_something_else_in_place_of_the_database(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("a text, long enough to be read as a database" * 100)
    assert f"`mv {tmp_path}/mlflow.db {tmp_path}/mlflow.db.damaged`" in refusal(tmp_path)


def test_a_driver_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    text = refusal(None, "postgresql+psycopg2://me@127.0.0.1/db")
    assert f"`{PYTHON} -m pip install psycopg2-binary`" in text and "secret" not in text


@pytest.mark.parametrize(
    ("problem", "uri", "expected"),
    [
        (sqlite3.OperationalError("database or disk is full"), None, "`df -h {root}`"),
        (OSError(28, "No space left on device"), None, "`df -h {root}`"),
        (sqlite3.OperationalError("attempt to write a readonly database"), None, "`ls -ld {root} {root}/mlflow.db`"),
        (PermissionError(13, "Permission denied"), None, "`ls -ld {root} {root}/mlflow.db`"),
        (OSError("[Errno 111] Connection refused"), "http://127.0.0.1:5007", "server --host 127.0.0.1 --port 5007"),
        (OSError("Max retries exceeded with url"), "https://h.example/x", "`curl -sS https://h.example/x/health`"),
        (ValueError("API request failed with 404"), "http://h:1", "no MLflow server: `curl -sS http://h:1/health`"),
        (ValueError("failed with error code 401"), "http://u:secret@h", "`export MLFLOW_TRACKING_USERNAME=NAME"),
        (OSError("Connection refused"), "postgresql://u:secret@h/db", "`pg_isready -h h -p 5432`"),
        (ValueError("password authentication failed for user"), "postgresql://u:secret@h/db", "correct the user"),
        (ValueError('database "db" does not exist'), "postgresql://u:secret@h/db", "`createdb -h h db`"),
        (ValueError("timed out"), "mysql+pymysql://u:secret@h:99/db", "`nc -vz h 99`"),
    ],
)  # fmt: skip
def test_causes_and_their_commands(tmp_path: Path, problem: Exception, uri: str | None, expected: str) -> None:
    text = explained(problem, uri or place.default_uri(tmp_path), tmp_path)
    assert expected.format(root=tmp_path) in text and "secret" not in text and "\n" not in text


def test_a_statement_is_no_reason(root: Path) -> None:
    text = explained(ValueError("(sqlite3.X) broken\n[SQL: SELECT 1]\n(Background on this)"), "sqlite:////x", root)
    assert "SELECT" not in text and "Background" not in text


def test_a_root_that_cannot_be_written(tmp_path: Path, migrated: Path) -> None:
    root = tmp_path / "file"
    shutil.copy(migrated, root)
    assert "cannot use the tracking database" in refusal(root)
