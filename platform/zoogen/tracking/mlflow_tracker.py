"""Runs in MLflow: found by digest or created, below one experiment per study."""

import json
import logging
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

from zoogen import __version__
from zoogen.errors import ZoogenError
from zoogen.secrets import masked, masked_settings
from zoogen.tracking.base import NullRun, Run, Tracker
from zoogen.tracking.config import TrackingConfig
from zoogen.tracking.mlflow_run import MlflowRun
from zoogen.tracking.names import shorten
from zoogen.zoo.provenance import git_revision

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowEntity

DATABASE, ARTIFACTS = "mlflow.db", "mlartifacts"  # under the artifact root
DIGEST_TAG, STAGE_TAG, PARENT_TAG = "zoogen.digest", "zoogen.stage", "mlflow.parentRunId"
_OPENING_SECONDS = 10  # until a server that does not answer counts as unreachable
_SQLITE = "sqlite:///"


class MlflowTracker(Tracker):
    """One experiment in an MLflow store.

    Args:
        config: where to track.
        root: local artifact root, None if it is remote.
        study: name of the experiment.
        say: told notices.

    Raises:
        ZoogenError: the store cannot be opened, or there is no place for one.
    """

    def __init__(self, config: TrackingConfig, root: Path | None, study: str, say: Callable[[str], None]) -> None:
        self._config, self._root = config, root
        self.uri = config.store_uri or default_uri(root)
        self._say: Callable[[str], None] = lambda text: say(masked(text))
        self._parent: MlflowRun | None = None
        self._monitor: Any = None
        self._client = self._connect()
        with self._border():
            self._experiment = self._find_or_create_experiment(study)

    def _connect(self) -> "MlflowClient":
        # Before the first import of mlflow: it looks at this variable once.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("DO_NOT_TRACK", "true")
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        for name in ("alembic", "mlflow.store.db.utils", "mlflow.system_metrics"):
            logging.getLogger(name).setLevel(logging.WARNING)
        database = local_database(self.uri)
        if database is not None:
            try:
                database.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                reason = f"{error.strerror}; choose a writable artifacts folder"
                raise ZoogenError(f"cannot write the tracking database {database}: {reason}") from None
            if not database.exists():
                self._say(f"making the tracking database {database}, about 10 seconds, once")
        with self._border():
            from mlflow import MlflowClient

            return MlflowClient(self.uri)

    @contextmanager
    def _border(self) -> Iterator[None]:
        """Requests with a short timeout; every failure as one line."""
        # Later requests may try twice more: a server that restarts should not cost the record of a long training.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(_OPENING_SECONDS))
        retries = os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
        try:
            yield
        except ZoogenError:
            raise
        except Exception as problem:  # MLflow's, SQLAlchemy's and requests' errors have no common base
            reason = shorten(" ".join(str(problem).split()), 160)
            text = f"cannot reach MLflow at {self.uri}: {reason}"
            hint = "start the server, correct tracking.uri, or set tracking.kind=none"
            raise ZoogenError(f"{masked(text)}; {hint}") from None
        finally:
            os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = retries

    def _find_or_create_experiment(self, study: str) -> str:
        from mlflow.exceptions import MlflowException

        found = self._client.get_experiment_by_name(study)
        if found is None:
            try:
                return str(self._client.create_experiment(study, artifact_location=self._artifact_location(study)))
            except MlflowException:
                found = self._client.get_experiment_by_name(study)  # another process was faster
                if found is None:
                    raise
        if found.lifecycle_stage == "deleted":
            self._client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def _artifact_location(self, study: str) -> str | None:
        """A folder beside a local database; a server knows its own."""
        database = local_database(self.uri)
        if database is None:
            return None
        return ((self._root or database.parent).absolute() / ARTIFACTS / study).as_uri()

    def _open(self, stage: str, digest: str, name: str, params: Mapping[str, Any], tags: Mapping[str, str]) -> Run:
        try:
            with self._border():
                entity = self._find_or_create_run(stage, digest, name)
                run = MlflowRun(self._client, entity, self._say, self._find_or_create_experiment)
        except ZoogenError as error:
            if self._parent is None:
                raise
            # Half-way through a pipeline the work is worth more than its record.
            self._say(f"{name} is not tracked: {error}")
            return NullRun()
        source = {"mlflow.source.name": Path(sys.argv[0]).name or "zoogen", "mlflow.source.type": "PROJECT"}
        run.tags({"zoogen.version": __version__, "mlflow.source.git.commit": git_revision(), **source, **tags})
        shown = masked_settings(params)
        run.params(shown)
        if shown:
            plain = json.loads(json.dumps(shown, default=str))  # YAML knows plain types alone
            run.text("config.yaml", yaml.safe_dump(plain, sort_keys=False))
        return run

    def _find_or_create_run(self, stage: str, digest: str, name: str) -> "MlflowEntity":
        """The run of a stage with this digest below the present pipeline, set to RUNNING."""
        parent = self._parent.run_id if self._parent is not None else None
        known = {STAGE_TAG: stage, DIGEST_TAG: digest, **({PARENT_TAG: parent} if parent else {})}
        query = " and ".join(f"tags.`{key}` = '{value}'" for key, value in known.items())
        found = self._client.search_runs([self._experiment], query, order_by=["attributes.start_time DESC"])
        # A query cannot ask for the absence of a tag: without a pipeline, runs that belong to one do not count.
        fitting = [run for run in found if run.data.tags.get(PARENT_TAG) == parent]
        if not fitting:
            return self._client.create_run(self._experiment, tags=known, run_name=name)
        self._client.update_run(fitting[0].info.run_id, status="RUNNING", name=name)
        return fitting[0]  # as it was found: its earlier end and errors are still there

    def _enter(self, run: Run) -> None:
        if isinstance(run, MlflowRun):
            self._parent = run
            if self._config.system_metrics:
                self._monitor = _start_monitor(run.run_id, self.uri)

    def _leave(self) -> None:
        self._parent = None
        if self._monitor is not None:
            self._monitor.finish()
            self._monitor = None

    def ui_command(self) -> str | None:
        return ui_command(self._root, self._config.uri)


def _start_monitor(run_id: str, uri: str) -> Any:
    """MLflow's thread that samples processor, memory and disk every ten seconds; None where it cannot run."""
    try:
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        monitor = SystemMetricsMonitor(run_id, sampling_interval=10, resume_logging=True, tracking_uri=uri)
        monitor.start()
    except Exception:  # psutil or a driver is missing: these figures are an extra
        return None
    return monitor


def default_uri(root: Path | None) -> str:
    """The SQLite store in a local artifact root.

    Raises:
        ZoogenError: the root is remote.
    """
    if root is None:
        raise ZoogenError(
            "the artifact root is remote and cannot hold MLflow's database; "
            "set tracking.uri to a server such as http://127.0.0.1:5000, or tracking.kind=none"
        )
    return f"{_SQLITE}{root.absolute() / DATABASE}"


def local_database(uri: str) -> Path | None:
    """The file of a SQLite store, None for a server."""
    return Path(uri.removeprefix(_SQLITE)) if uri.startswith(_SQLITE) else None


def ui_command(root: Path | None, uri: str | None = None) -> str:
    """The line that opens the UI on this machine's loopback alone, or the address of the server in use."""
    store = uri or default_uri(root)
    if urlsplit(store).scheme in ("http", "https"):
        return masked(store)
    database = local_database(store)
    folder = root or (database.parent if database else Path.cwd())
    program = Path(sys.executable).parent / "mlflow"
    # Without the first variable the server starts ten processes; the second one keeps it from calling home.
    words = [
        str(program) if program.exists() else "mlflow",
        *("server", "--host", "127.0.0.1", "--port", "5000", "--workers", "1"),
        *("--backend-store-uri", store, "--artifacts-destination", str(folder.absolute() / ARTIFACTS)),
    ]
    return f"MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_DISABLE_TELEMETRY=true {shlex.join(words)}"
