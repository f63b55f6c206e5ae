"""The MLflow UI on this machine."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from zoogen.commands import keeper
from zoogen.errors import CommandError, ZoogenError
from zoogen.exits import Exit, signals_raise
from zoogen.pipelines.open import open_study
from zoogen.tracking.failures import explained
from zoogen.tracking.place import ARTIFACTS, default_uri, local_database, relocate, require_usable

LOOPBACK = "127.0.0.1"


def serve_ui(root: Path | None, uri: str | None, port: int, say: Callable[[str], None]) -> None:
    """Serve the UI of a tracking store on the loopback until it is interrupted.

    Raises:
        ZoogenError: the port is occupied, nothing was tracked yet, or the store is a server with its own UI.
    """
    store = uri or default_uri(root)
    if urlsplit(store).scheme in ("http", "https"):
        raise ZoogenError(f"the runs are tracked by the server at {store}; open that address in a browser")
    database = local_database(store)
    if database is not None:
        _require_database(database, store, root, port)
    else:
        require_free_port(port)
    folder = root or (database.parent if database is not None else Path.cwd())
    command = [sys.executable, "-m", "mlflow", "server", "--host", LOOPBACK, "--port", str(port), "--workers", "1"]
    command += ["--artifacts-destination", str(folder.absolute() / ARTIFACTS)]
    # Without the first variable the server starts ten processes; the second one keeps it from calling home; the third
    # may hold a password, which on the command line others could see.
    variables = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    variables |= {"MLFLOW_BACKEND_STORE_URI": store}
    say(f"MLflow UI at http://{LOOPBACK}:{port} in about 10 seconds; stop it with Ctrl-C")
    if status := _served(command, {**os.environ, **variables}):
        raise ZoogenError(f"the MLflow server stopped with status {status}; its last lines above say why")


def _require_database(database: Path, store: str, root: Path | None, port: int) -> None:
    if not database.exists():
        raise ZoogenError(f"there is no tracking database {database} yet; run `zoogen pipeline` first")
    require_free_port(port)
    try:
        require_usable(database)
        relocate(database, root or database.parent)
    except (OSError, sqlite3.Error) as problem:
        raise CommandError(explained(problem, store, root)) from None


def _served(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a server until it ends, or a signal does; its status, 0 after an interrupt. No process of it is left."""
    with signals_raise():
        # In a session of its own, so that Ctrl-C comes here alone.
        server = subprocess.Popen(
            [sys.executable, keeper.__file__, *command], stdin=subprocess.PIPE, env=environment, start_new_session=True
        )
        try:
            return server.wait()
        except KeyboardInterrupt:
            return Exit.DONE
        finally:
            _end(server)


def _end(server: "subprocess.Popen[bytes]") -> None:
    assert server.stdin is not None
    server.stdin.close()  # by which the keeper ends its group
    with suppress(subprocess.TimeoutExpired):
        server.wait(keeper.GRACE_SECONDS + 2)
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def require_free_port(port: int) -> None:
    """Raises:
    ZoogenError: somebody listens on the port already, or it may not be opened.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise ZoogenError(
                f"port {port} on {LOOPBACK} cannot be used: {error.strerror}; give another with --port"
            ) from None


def run_ui(config: str, overrides: Sequence[str], port: int) -> None:
    """Run the MLflow UI in the foreground until it is interrupted."""
    study = open_study(config, overrides)
    if study.config.tracking.kind == "none":
        raise ZoogenError("tracking.kind is none, so there are no runs to look at; set it to mlflow")
    serve_ui(study.store.root, study.config.tracking.store_uri, port, study.console.say)
