"""A real MLflow server that is killed while a study runs, and comes back."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.test_interrupt import CONFIG, ROOT, parts

pytestmark = pytest.mark.chaos


def environment() -> dict[str, str]:
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true", "OMP_NUM_THREADS": "1"}
    return {**os.environ, **quiet, "PYTHONPATH": str(ROOT / "platform")}


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


class Server:
    """MLflow on a port and a database of its own."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            self.port = held.getsockname()[1]
        self.uri, self._folder = f"http://127.0.0.1:{self.port}", folder
        folder.mkdir()
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{self._folder}/mlflow.db"]
        command += ["--artifacts-destination", str(self._folder / "artifacts")]
        self._process = subprocess.Popen(
            command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        wait_for(self.answers, "the server does not answer")

    def answers(self) -> bool:
        with socket.socket() as asked:
            return asked.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        os.killpg(self._process.pid, 9)
        self._process.wait()
        wait_for(lambda: not self.answers(), "the server still answers")

    def records(self) -> dict[tuple[str, str, str], dict[str, Any]]:
        from mlflow import MlflowClient

        client = MlflowClient(self.uri)
        names = [each.experiment_id for each in client.search_experiments()]
        return {
            (run.data.tags["zoogen.stage"], run.data.tags["zoogen.digest"], run.data.params.get("method", "")): {
                "state": run.info.status,
                "complete": "zoogen.complete" in run.data.tags,
                "metrics": sorted(run.data.metrics),
                "points": sum(len(client.get_metric_history(run.info.run_id, key)) for key in run.data.metrics),
                "tables": sorted(
                    file.path
                    for place in ("tables", "report")
                    for file in client.list_artifacts(run.info.run_id, place)
                ),
            }
            for run in client.search_runs(names, max_results=1000)
        }


@pytest.fixture
def server(tmp_path: Path):
    made: list[Server] = []

    def make(name: str) -> Server:
        made.append(Server(tmp_path / name))
        return made[-1]

    yield make
    for each in made:
        each.kill()


def pipeline(folder: Path, uri: str) -> "subprocess.Popen[str]":
    folder.mkdir(exist_ok=True)
    config = folder / "study.yaml"
    config.write_text(
        CONFIG.format(root=folder / "root").replace("{kind: none}", f"{{uri: '{uri}', system_metrics: false}}")
    )
    return subprocess.Popen(
        [sys.executable, "-m", "zoogen.cli", "pipeline", str(config)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: "subprocess.Popen[str]") -> str:
    _, said = process.communicate(timeout=280)
    assert process.returncode == 0 and "Traceback" not in said, said
    return said


@pytest.mark.timeout(900)
@pytest.mark.parametrize("back", ["before the end", "afterwards"])
def test_the_record_is_that_of_an_undisturbed_study(server: Callable[[str], Server], tmp_path: Path, back: str) -> None:
    calm = server("calm")
    finished(pipeline(tmp_path / "a", calm.uri))
    expected = calm.records()
    assert {each["complete"] for (stage, _, _), each in expected.items() if stage != "result"} == {True}

    rough = server("rough")
    process, root = pipeline(tmp_path / "b", rough.uri), tmp_path / "b" / "root"
    wait_for(lambda: len(parts(root)) >= 2, "no part is made")
    rough.kill()
    if back == "before the end":
        rough.start()
    said = finished(process)
    assert sum("tracking is interrupted" in line for line in said.splitlines()) <= 1
    if back == "afterwards":
        assert "tracking is interrupted" in said
        rough.start()
    assert "reused" in finished(pipeline(tmp_path / "b", rough.uri))
    assert rough.records() == expected
