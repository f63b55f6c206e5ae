"""Why a tracking store cannot be opened, and the command that helps."""

import re
import shlex
import sys
from pathlib import Path
from urllib.parse import urlsplit

from zoogen.secrets import masked
from zoogen.tracking.names import short_reason
from zoogen.tracking.place import ARTIFACTS, default_uri, local_database

_DRIVERS = {
    "psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient", "pymysql": "pymysql", "pyodbc": "pyodbc",
    "pymssql": "pymssql", "asyncpg": "asyncpg", "psycopg": "psycopg[binary]", "mysql": "mysql-connector-python",
}  # fmt: skip
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_INSTEAD = "or set tracking.kind=none"
_SCHEMA = re.compile(r"found version (\w+), but expected (\w+)|Can't locate revision identified by '(\w+)'")
_REFUSED = (
    "connection refused", "max retries exceeded", "could not connect", "failed to establish", "timed out",
    "name or service not known", "could not translate host", "can't connect", "no route to host",
    "temporary failure in name resolution", "connection aborted", "connection reset", "remote end closed",
)  # fmt: skip


def server_command(store: str, folder: Path, host: str = "127.0.0.1", port: int = 5000) -> str:
    """The line that serves a store and the artifacts below a folder, on one address."""
    program = Path(sys.executable).parent / "mlflow"
    # Without the first variable the server starts ten processes; the second one keeps it from calling home.
    words = [
        str(program) if program.exists() else "mlflow",
        *("server", "--host", host, "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", masked(store), "--artifacts-destination", str(folder.absolute() / ARTIFACTS)),
    ]
    return f"MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_DISABLE_TELEMETRY=true {shlex.join(words)}"


def explained(problem: BaseException, uri: str, root: Path | None) -> str:
    """One line: what cannot be used, why, and a whole command that helps."""
    reason = " ".join(str(problem).split()) or type(problem).__name__
    database = local_database(uri)
    advice = None
    for advise in (_driver, _schema, _file if database is not None else _server):
        advice = advice or advise(problem, reason, uri, root)
    what = f"use the tracking database {database}" if database is not None else f"reach MLflow at {uri}"
    return masked(f"cannot {what}: {short_reason(problem)}; {advice or f'see `{_check(uri)}`'}, {_INSTEAD}")


def _driver(problem: BaseException, reason: str, uri: str, root: Path | None) -> str | None:
    if not isinstance(problem, ModuleNotFoundError | ImportError) and "No module named" not in reason:
        return None
    module = (re.search(r"No module named '([\w.]+)'", reason) or [None, getattr(problem, "name", None) or ""])[1]
    name = str(module).partition(".")[0]
    command = shlex.join([sys.executable, "-m", "pip", "install", _DRIVERS.get(name, name)])
    return f"the driver of this kind of store is not installed: `{command}`"


def _schema(problem: BaseException, reason: str, uri: str, root: Path | None) -> str | None:
    match = _SCHEMA.search(reason)
    if match is None and "out-of-date database schema" not in reason:
        return None
    found = next((text for text in match.groups() if text), "") if match else ""
    database, python = local_database(uri), shlex.quote(sys.executable)
    if found not in ("", "None") and not _knows(found):
        import mlflow

        return (
            f"a newer MLflow than the installed {mlflow.__version__} made it: `{python} -m pip install --upgrade "
            "mlflow`, or name another store with tracking.uri"
        )
    copy = f"cp {shlex.quote(str(database))} {shlex.quote(f'{database}.before')} && " if database is not None else ""
    return f"an older MLflow made it: `{copy}{python} -m mlflow db upgrade {shlex.quote(masked(uri))}`"


def _knows(revision: str) -> bool:
    """Whether the installed MLflow has a migration of this name."""
    import mlflow.store.db_migrations as migrations

    folders = (Path(place, "versions") for place in migrations.__path__)
    return any(next(folder.glob(f"{revision}*.py"), None) is not None for folder in folders)


def _file(problem: BaseException, reason: str, uri: str, root: Path | None) -> str | None:
    database = local_database(uri)
    assert database is not None, "the caller asks for files"
    file, folder, text = shlex.quote(str(database)), shlex.quote(str(database.parent)), reason.lower()
    if "is locked" in text or "is busy" in text:
        return f"another process holds it: `fuser -v {file}` tells which; end it or wait, and give the command again"
    if "disk is full" in text or "no space left" in text or "quota" in text:
        return f"make room: `df -h {folder}` tells how much there is; choose another artifacts folder"
    if "not a database" in text or "malformed" in text:
        return f"it is damaged or something else: `mv {file} {file}.damaged`, then a new one is made from the artifacts"
    if any(
        word in text for word in ("unable to open", "readonly", "read-only", "permission denied", "not a directory")
    ):
        return f"it cannot be written: `ls -ld {folder} {file}` tells whose it is; choose a writable artifacts folder"
    if "disk i/o error" in text:
        return f"`df -h {folder}` and the system's log tell more; choose another artifacts folder"
    return None


def _server(problem: BaseException, reason: str, uri: str, root: Path | None) -> str | None:
    parts, text = urlsplit(uri), reason.lower()
    web = parts.scheme in ("http", "https")
    if web and ("401" in text or "403" in text or "unauthorized" in text or "forbidden" in text):
        return "it asks who you are: `export MLFLOW_TRACKING_USERNAME=NAME MLFLOW_TRACKING_PASSWORD=PASSWORD`"
    if not web and any(word in text for word in ("authentication failed", "access denied", "login failed")):
        return "correct the user in tracking.uri, and `export MLFLOW_TRACKING_PASSWORD=PASSWORD`"
    if not web and "does not exist" in text and "database" in text:
        return f"make it on the server: `createdb -h {parts.hostname} {parts.path.strip('/')}`"
    if not any(word in text for word in _REFUSED):
        return (
            f"what answers there is no MLflow server: `{_check(uri)}` shows it; correct tracking.uri" if web else None
        )
    if not web:
        return f"start the database server, or correct tracking.uri: `{_check(uri)}` tells whether it answers"
    if parts.hostname in ("127.0.0.1", "localhost", "::1"):
        folder = root or Path.cwd()
        command = server_command(default_uri(folder), folder, parts.hostname, parts.port or 80)
        return f"correct tracking.uri, or start the server: `{command}`"
    return f"start the server there, or correct tracking.uri: `{_check(uri)}` tells whether it answers"


def _check(uri: str) -> str:
    """A command that shows whether a store answers."""
    parts = urlsplit(uri)
    if parts.scheme in ("http", "https"):
        address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}/health"
        return f"curl -sS {shlex.quote(address)}"
    if (database := local_database(uri)) is not None:
        return f"ls -l {shlex.quote(str(database))}"
    kind = parts.scheme.partition("+")[0]
    port = str(parts.port or _PORTS.get(kind, 0))
    if kind == "postgresql":
        return f"pg_isready -h {parts.hostname or 'localhost'} -p {port}"
    return f"nc -vz {parts.hostname or 'localhost'} {port}"
