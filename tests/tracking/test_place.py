"""Databases of tracking: whole, in their place, and with artifacts beside them wherever the folder goes."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from zoogen.tracking.place import default_uri, local_database, make_database, relocate, sqlite_uri
from zoogen.tracking.tracker import TrackingConfig, open_tracker

QUIET = TrackingConfig(system_metrics=False)
ODD = ["what? a=b", "100%20 of it", "a#b", "a b", "äß€", "50%", "%3F", "a&b;c:d@e"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "platform")}


def written(root: Path, digest: str = "d1", uri: str | None = None) -> None:
    tracker = open_tracker(QUIET.model_copy(update={"uri": uri}), root, "study")
    with tracker.stage("train", digest) as run:
        run.text("a.txt", digest)
        run.dataset("zoo", "abcd", (root / "zoo" / "abcd.json").as_uri())


def texts(root: Path, uri: str | None = None) -> dict[str, str]:
    """Digest to what the run's artifact holds, as MLflow finds it."""
    from mlflow import MlflowClient

    client = MlflowClient(uri or default_uri(root))
    experiment = client.get_experiment_by_name("study")
    runs = client.search_runs([experiment.experiment_id])
    return {
        run.data.tags["zoogen.digest"]: Path(client.download_artifacts(run.info.run_id, "a.txt")).read_text()
        for run in runs
    }


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ODD)
def test_odd_names_of_folders(migrated: Path, tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    root.mkdir()
    shutil.copy(migrated, root / "mlflow.db")
    assert local_database(default_uri(root)) == root / "mlflow.db"
    written(root)
    assert texts(root) == {"d1": "d1"}
    assert {path.name for path in tmp_path.iterdir()} == {name}, "something lies elsewhere"


@pytest.mark.parametrize("way", ["moved", "copied"])
def test_a_study_that_is_somewhere_else(root: Path, tmp_path: Path, way: str) -> None:
    written(root)
    new = tmp_path / "new %20 place" / "artifacts"
    new.parent.mkdir()
    (shutil.move if way == "moved" else shutil.copytree)(root, new)
    before = files(root) if way == "copied" else set()
    said: list[str] = []
    open_tracker(QUIET, new, "study", said.append)
    assert len(said) == 1 and "moved" in said[0]
    written(new, "d2")
    assert texts(new) == {"d1": "d1", "d2": "d2"}
    assert (files(root) if root.exists() else set()) == before, "the old place was written to"
    with sqlite3.connect(new / "mlflow.db") as connection:
        (sources,) = zip(*connection.execute("SELECT dataset_source FROM datasets"), strict=True)
    assert {json.loads(source)["uri"] for source in sources} == {(new / "zoo" / "abcd.json").as_uri()}
    assert relocate(new / "mlflow.db", new) == 0


def test_a_link_to_the_folder_is_no_move(root: Path, tmp_path: Path) -> None:
    written(root)
    link = tmp_path / "link"
    link.symlink_to(root)
    assert relocate(link / "mlflow.db", link) == 0


def test_a_shared_database_keeps_the_places_of_others(migrated: Path, tmp_path: Path) -> None:
    database = tmp_path / "shared.db"
    shutil.copy(migrated, database)
    uri = sqlite_uri(database)
    first, second = tmp_path / "first", tmp_path / "second"
    written(first, uri=uri)
    open_tracker(QUIET.model_copy(update={"uri": uri}), second, "other")
    assert texts(first, uri) == {"d1": "d1"}
    first.rename(tmp_path / "third")
    open_tracker(QUIET.model_copy(update={"uri": uri}), tmp_path / "third", "study")
    assert texts(tmp_path / "third", uri) == {"d1": "d1"}


SLOWLY = """
import sys, pathlib, shutil
from zoogen.tracking.place import local_database, make_database
def create(uri):
    shutil.copy(sys.argv[1], local_database(uri))
    print("made", flush=True)
    sys.stdin.readline()
make_database(pathlib.Path(sys.argv[2]), create)
"""


@pytest.mark.parametrize("empty", [False, True], ids=["none", "empty"])
def test_two_first_starts_at_once(migrated: Path, tmp_path: Path, empty: bool) -> None:
    database = tmp_path / "mlflow.db"
    if empty:  # what a start leaves that was killed
        database.touch()
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", SLOWLY, str(migrated), str(database)],
            env=ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for start in starts:  # both have made theirs before any puts it in its place
        assert start.stdout is not None and start.stdout.readline() == "made\n"
    assert not database.exists() or not database.stat().st_size
    for start in starts:
        start.communicate("\n", timeout=60)
        assert start.returncode == 0
        with sqlite3.connect(database) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS kept (x)")
            connection.execute("INSERT INTO kept VALUES (1)")
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (2,)
    assert {path.name for path in tmp_path.iterdir()} == {"mlflow.db"}


def test_a_start_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def create(uri: str) -> None:
        database = local_database(uri)
        assert database is not None
        database.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_database(tmp_path / "mlflow.db", create)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.chaos
def test_real_first_starts_at_once(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from zoogen.tracking.tracker import TrackingConfig, open_tracker\n"
        "with open_tracker(TrackingConfig(system_metrics=False), Path(sys.argv[1]), 'study').stage('s', sys.argv[2]):\n"
        "    pass\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    starts = [subprocess.Popen([*command, str(number)], env=ENVIRONMENT) for number in range(3)]
    assert [start.wait(120) for start in starts] == [0, 0, 0]
    with sqlite3.connect(tmp_path / "mlflow.db") as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (3,)
