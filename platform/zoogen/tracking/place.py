"""Where a local tracking store lies: its database, made whole or not at all, and following its folder when it moves."""

import fcntl
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit
from urllib.request import url2pathname

from zoogen.errors import ZoogenError
from zoogen.zoo.roots import inside

DATABASE, ARTIFACTS = "mlflow.db", "mlartifacts"  # under the artifact root
_SQLITE = ("sqlite:///", "sqlite+pysqlite:///")
_LOCK_SECONDS = 10.0  # until a database that another process holds counts as locked


def default_uri(root: Path | None) -> str:
    """The SQLite store in a local artifact root.

    Raises:
        ZoogenError: the root is remote, or the database or the artifacts' folder is a link that leads out of it.
    """
    if root is None:
        raise ZoogenError(
            "the artifact root is remote and cannot hold MLflow's database; "
            "set tracking.uri to a server such as http://127.0.0.1:5000, or tracking.kind=none"
        )
    root = root.absolute()
    inside(root, root / ARTIFACTS)
    return sqlite_uri(inside(root, root / DATABASE))


def sqlite_uri(database: Path) -> str:
    """The URI of a SQLite file, whatever its name: SQLAlchemy reads escapes and an end of the path in it."""
    text = str(database)
    if "%" not in text and "?" not in text:
        return f"{_SQLITE[0]}{text}"
    # With its driver named: of the other form MLflow makes the folder without undoing the escapes.
    return _SQLITE[1] + text.replace("%", "%25").replace("?", "%3F")


def local_database(uri: str) -> Path | None:
    """The file of a SQLite store, None for a server."""
    for prefix in _SQLITE:
        if uri.startswith(prefix):
            return Path(unquote(uri.removeprefix(prefix).partition("?")[0]))
    return None


def require_usable(database: Path) -> None:
    """Make sure that the database can be written now.

    Raises:
        sqlite3.Error: it is locked, damaged, not to be written, or no database.
    """
    with closing(sqlite3.connect(database, timeout=_LOCK_SECONDS, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        connection.execute("ROLLBACK")


def make_database(database: Path, create: Callable[[str], object]) -> None:
    """Make the database if there is none, under its name only when it is whole: others never see it half-made.

    Args:
        create: makes the tables of the store with a URI.

    Raises:
        OSError: the folder cannot be written.
    """
    database.parent.mkdir(parents=True, exist_ok=True)
    with _emptied(database) as there:
        if there:
            return
        with tempfile.TemporaryDirectory(prefix=f".{database.name}-", dir=database.parent) as folder:
            new = Path(folder, database.name)
            create(sqlite_uri(new))
            _place_default(new, database)
            try:
                os.link(new, database)
            except FileExistsError:
                pass  # another process was faster
            except OSError:  # a file system without links
                if not database.exists():
                    new.replace(database)


@contextmanager
def _emptied(database: Path) -> Iterator[bool]:
    """Whether there is a database. An empty file, as a killed start leaves it, is taken away by one process."""
    try:
        with database.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                now = database.stat()
                if now.st_size == 0 and now.st_ino == os.fstat(file.fileno()).st_ino:
                    database.unlink()
    except FileNotFoundError:
        pass
    except OSError:  # not to be written: told by `require_usable`
        yield True
        return
    yield database.exists()


def _place_default(new: Path, database: Path) -> None:
    """MLflow's own experiment, which nothing uses, lies in the working folder unless it is told otherwise."""
    with closing(sqlite3.connect(new)) as connection, connection:
        connection.execute(
            "UPDATE experiments SET artifact_location = ? WHERE name = 'Default'",
            ((database.parent.absolute() / ARTIFACTS / "Default").as_uri(),),
        )


def relocate(database: Path, root: Path) -> int:
    """Let experiments and their runs find their artifacts below `root` after the folder was moved, renamed or copied.

    Artifacts below another root that is still there stay where they are, unless the database came along with this one.

    Returns:
        Experiments that were changed.
    """
    own = database.parent.absolute() == root.absolute()
    with closing(sqlite3.connect(database, timeout=_LOCK_SECONDS, isolation_level=None)) as connection:
        moved = [
            (name, old, new)
            for name, old in connection.execute("SELECT experiment_id, artifact_location FROM experiments").fetchall()
            if (new := _new_location(old, root.absolute(), own)) is not None
        ]
        if not moved:
            return 0
        connection.execute("BEGIN IMMEDIATE")
        for name, old, new in moved:
            connection.execute("UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", (new, name))
            connection.execute(
                "UPDATE runs SET artifact_uri = ? || substr(artifact_uri, ?) "
                "WHERE experiment_id = ? AND substr(artifact_uri, 1, ?) = ?",
                (new, len(old) + 1, name, len(old) + 1, old + "/"),
            )
            before, after = (place.rpartition(f"/{ARTIFACTS}/")[0] + "/" for place in (old, new))
            connection.execute(
                "UPDATE datasets SET dataset_source = replace(dataset_source, ?, ?) WHERE experiment_id = ?",
                (f'"{before}', f'"{after}', name),
            )
        connection.execute("COMMIT")
        return len(moved)


def _new_location(old: str | None, root: Path, own: bool) -> str | None:
    """Where the artifacts of an experiment are to be found now; None if that is where they were."""
    if old is None or not old.startswith("file:"):
        return None
    path = Path(url2pathname(urlsplit(old.replace("?", quote("?"))).path))
    if path.parent.name != ARTIFACTS or path.parent == root / ARTIFACTS:
        return None
    new = root / ARTIFACTS / path.name
    with suppress(OSError):
        if path.parent.parent.samefile(root):
            return None  # another way to the same folder
    if own or (not path.parent.exists() and new.exists()):
        return new.as_uri()
    return None
