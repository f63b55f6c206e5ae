"""Runs in MLflow: found by digest or created, below one experiment per study."""

import json
import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

from zoogen import __version__
from zoogen.errors import CommandError, ZoogenError
from zoogen.secrets import masked, masked_settings
from zoogen.tracking.base import NullRun, Run, Tracker
from zoogen.tracking.channel import Outage
from zoogen.tracking.config import TrackingConfig
from zoogen.tracking.failures import explained, server_command
from zoogen.tracking.mlflow_run import MlflowRun
from zoogen.tracking.place import (
    ARTIFACTS,
    default_uri,
    local_database,
    make_database,
    relocate,
    require_usable,
)
from zoogen.zoo.provenance import git_revision

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowEntity

DIGEST_TAG, STAGE_TAG, PARENT_TAG = "zoogen.digest", "zoogen.stage", "mlflow.parentRunId"
_OPENING_SECONDS = 10  # until a server that does not answer counts as unreachable


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
        store = Outage(self._say)
        self._outages = store, store.sibling()  # of the store, of its artifacts
        self._client = self._connect()
        with self._border():
            self._experiment = self._find_or_create_experiment(study)

    def _connect(self) -> "MlflowClient":
        # Before the first import of mlflow: it looks at this variable once.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("DO_NOT_TRACK", "true")
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        with self._border():
            from mlflow import MlflowClient

            # What goes wrong is said in one line here; MLflow adds its tracebacks, urllib3 every attempt.
            for name in ("alembic", "mlflow", "urllib3.connectionpool"):
                logging.getLogger(name).setLevel(logging.CRITICAL)
            if (database := local_database(self.uri)) is not None:
                self._open_database(database)
            else:
                _require_listener(self.uri)
            return MlflowClient(self.uri)

    def _open_database(self, database: Path) -> None:
        """Make it if it is not there, and let it follow its folder."""
        from mlflow import MlflowClient

        if not database.exists() or not database.stat().st_size:
            self._say(f"making the tracking database {database}, about 10 seconds, once")
        make_database(database, MlflowClient)
        require_usable(database)
        if relocate(database, self._root or database.parent):
            self._say(f"the tracking database {database} was moved: its runs now find their artifacts beside it")

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
            raise CommandError(explained(problem, self.uri, self._root)) from None
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
                run = MlflowRun(self._client, entity, *self._outages, self._find_or_create_experiment)
        except ZoogenError as error:
            if self._parent is None:
                raise
            # Half-way through a pipeline the work is worth more than its record.
            self._outages[0].tell(error)
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


def _require_listener(uri: str) -> None:
    """Ask whether anybody listens at a database server's address: MLflow would try for minutes.

    Raises:
        OSError: nobody does.
    """
    parts = urlsplit(uri)
    if parts.scheme in ("http", "https") or not parts.hostname or not parts.port:
        return
    socket.create_connection((parts.hostname, parts.port), timeout=_OPENING_SECONDS).close()


def ui_command(root: Path | None, uri: str | None = None) -> str:
    """The line that opens the UI on this machine's loopback alone, or the address of the server in use."""
    store = uri or default_uri(root)
    if urlsplit(store).scheme in ("http", "https"):
        return masked(store)
    database = local_database(store)
    return server_command(store, root or (database.parent if database else Path.cwd()))
