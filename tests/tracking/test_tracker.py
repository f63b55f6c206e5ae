"""Runs read back through MLflow's own client: states, parents, metrics, artifacts, and what happens on failure."""

import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.fakes import FakeTask, MemoryZoo, NoisyOptimum
from tests.reports import hand_errors, hand_made

from zoogen.errors import ZoogenError
from zoogen.evaluation.config import EvaluationConfig
from zoogen.evaluation.evaluate import evaluate
from zoogen.evaluation.result import Inputs
from zoogen.tracking.mlflow_run import COMPLETE_TAG
from zoogen.tracking.summary import accuracy_metrics
from zoogen.tracking.tracker import NullTracker, TrackingConfig, open_tracker, ui_command
from zoogen.zoo.plan import ZooConfig

QUIET = TrackingConfig(system_metrics=False)
CONFIG = {"study": "s", "zoo": {"runs": 8, "structures": ("A", "B")}, "long": "x" * 2000}


@pytest.fixture(scope="module")
def judged():
    """An evaluation of the fake task."""
    task = FakeTask(checkpoints=2)
    zoo = MemoryZoo(task, ZooConfig(structures=("2",), runs=3, test_runs=1))
    inputs = Inputs(structures=1, models=6)
    return evaluate(task, zoo, NoisyOptimum(task), EvaluationConfig(count=2, structures=("5",)), inputs=inputs)


def _track(root, say=lambda _: None):
    return open_tracker(QUIET, root, "study", say)


def _runs(client):
    experiment = client.get_experiment_by_name("study")
    found = client.search_runs([experiment.experiment_id])
    return {run.data.tags["zoogen.stage"]: run for run in found}, len(found)


def test_a_pipeline_with_stages(root, client):
    tracker = _track(root)
    with tracker.pipeline("d0", name="quick", config=CONFIG, tags={"zoogen.kind": "hypergrid"}):
        with tracker.stage("build-zoo", "d1", params={"runs": 8}) as run:
            run.dataset("zoo", "abcd", "file:///srv/zoo/abcd.json")
            for step in range(1200):
                run.metrics({"loss": 1 / (step + 1)}, step=step, split="train")
            run.metrics({"nothing": math.nan, "A*/exact.js": 0.25}, split="val")
        with tracker.stage("evaluate", "d2") as run:
            run.text("tables/table.md", "| a |")
    runs, count = _runs(client)
    assert count == 3
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    parent, zoo, judged = runs["pipeline"], runs["build-zoo"], runs["evaluate"]
    assert parent.info.run_name == "quick"
    assert {zoo.data.tags["mlflow.parentRunId"], judged.data.tags["mlflow.parentRunId"]} == {parent.info.run_id}
    assert "mlflow.parentRunId" not in parent.data.tags
    assert parent.data.params["zoo.runs"] == "8"
    assert parent.data.params["zoo.structures"] == '["A", "B"]'
    assert len(parent.data.params["long"]) == 500
    assert parent.data.tags["zoogen.kind"] == "hypergrid"
    history = client.get_metric_history(zoo.info.run_id, "train/loss")
    assert [m.step for m in sorted(history, key=lambda m: m.step)] == list(range(1200))
    assert history[0].value == 1.0
    assert zoo.data.metrics["val/A-star/exact.js"] == 0.25
    assert "val/nothing" not in zoo.data.metrics
    (entry,) = zoo.inputs.dataset_inputs
    assert (entry.dataset.name, entry.dataset.digest) == ("zoo", "abcd")
    assert json.loads(entry.dataset.source) == {"uri": "file:///srv/zoo/abcd.json"}
    assert {tag.value for tag in entry.tags} == {"training"}
    folder = root / "mlartifacts" / "study"
    assert (folder / judged.info.run_id / "artifacts/tables/table.md").read_text() == "| a |"
    assert "x" * 2000 in (folder / parent.info.run_id / "artifacts/config.yaml").read_text()


def test_no_password_of_a_store_reaches_a_run(root, client):
    config = {"tracking": {"uri": "postgresql://u:secret@host/db"}, "more": ["http://u:secret@h/a", 3]}
    with _track(root).pipeline("d0", config=config):
        pass
    run = _runs(client)[0]["pipeline"]
    assert run.data.params["tracking.uri"] == "postgresql://u:***@host/db"
    written = (root / "mlartifacts" / "study" / run.info.run_id / "artifacts/config.yaml").read_text()
    assert "secret" not in written + str(run.data.params) and "http://u:***@h/a" in written


def test_same_digest_continues_the_same_runs(root, client):
    for attempt in range(2):
        tracker = _track(root)
        with (
            tracker.pipeline("d0", config={"seed": 1, "device": "cpu" if attempt else "cuda"}),
            tracker.stage("train", "d1") as run,
        ):
            run.dataset("zoo", "abcd", "file:///zoo")
            # The second go resumes two steps before the first one's end, as after a crash.
            for step in range(10) if attempt == 0 else range(8, 14):
                run.metrics({"loss": float(100 - step)}, step=step, split="train")
            run.metrics({"seconds": 5.0 + attempt})
    runs, count = _runs(client)
    assert count == 2
    steps = [m.step for m in client.get_metric_history(runs["train"].info.run_id, "train/loss")]
    assert sorted(steps) == list(range(14))
    assert runs["train"].data.metrics["seconds"] == 6.0
    assert len(runs["train"].inputs.dataset_inputs) == 1
    assert runs["pipeline"].data.params == {"seed": "1", "device": "cuda"}
    with _track(root).pipeline("other", config={"seed": 2}):
        pass
    assert _runs(client)[1] == 3


def test_stage_of_another_pipeline_or_of_none_is_another_run(root, client):
    tracker = _track(root)
    with tracker.pipeline("d0", config={}), tracker.stage("build-zoo", "z"):
        pass
    with tracker.pipeline("d9", config={}), tracker.stage("build-zoo", "z"):
        pass
    with tracker.stage("build-zoo", "z"):
        pass
    with tracker.stage("build-zoo", "z"):
        pass
    assert _runs(client)[1] == 5


def test_reused_stage_keeps_its_end(root, client):
    tracker = _track(root)
    with tracker.stage("train", "d1"):
        pass
    first = _runs(client)[0]["train"].info.end_time
    while time.time() * 1000 < first + 5:
        time.sleep(0.001)
    with tracker.stage("train", "d1") as run:
        run.reused = True
    assert _runs(client)[0]["train"].info.end_time == first
    with tracker.stage("train", "d1"):
        pass
    assert _runs(client)[0]["train"].info.end_time > first


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ValueError("two\nlines"), "FAILED"),
        (KeyboardInterrupt(), "KILLED"),
        (SystemExit(0), "FINISHED"),
        (SystemExit(2), "FAILED"),
        (SystemExit(15), "KILLED"),
    ],
)
def test_end_states_are_true(root, client, error, state):
    tracker = _track(root)
    with pytest.raises(type(error)), tracker.pipeline("d0", config={}), tracker.stage("train", "d1") as run:
        run.metrics({"loss": 1.0}, step=3)
        raise error
    runs, _ = _runs(client)
    assert {run.info.status for run in runs.values()} == {state}
    assert runs["train"].data.metrics == {"loss": 1.0}  # what was buffered is not lost
    assert ("zoogen.error" in runs["train"].data.tags) is (state != "FINISHED")
    with _track(root).pipeline("d0", config={}), tracker.stage("train", "d1"):
        pass
    runs, _ = _runs(client)
    assert runs["pipeline"].info.status == "FINISHED"
    assert "zoogen.error" not in runs["pipeline"].data.tags


def test_sigterm_ends_runs_as_killed(root, client):
    script = (
        "import sys; from pathlib import Path\n"
        "from zoogen.tracking.tracker import TrackingConfig, open_tracker\n"
        "tracker = open_tracker(TrackingConfig(system_metrics=False), Path(sys.argv[1]), 'study')\n"
        "with tracker.pipeline('d0', config={}), tracker.stage('train', 'd1') as run:\n"
        "    run.metrics({'loss': 2.0}, step=1)\n"
        "    print('ready', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "platform")}
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(root)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True,
    )  # fmt: skip
    with process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    runs, count = _runs(client)
    assert count == 2
    assert {run.info.status for run in runs.values()} == {"KILLED"}
    assert runs["train"].data.metrics == {"loss": 2.0}


def test_handlers_of_others_stay(root):
    of_another_test = signal.signal(signal.SIGTERM, signal.SIG_DFL)  # Ray leaves one behind
    try:
        with NullTracker().pipeline("d", config={}):
            assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, of_another_test)


def test_an_evaluation_and_a_zoo(root, client, tmp_path):
    task = FakeTask(checkpoints=2)
    zoo = MemoryZoo(task, ZooConfig(structures=("2",), runs=3, test_runs=1))
    evaluation = evaluate(task, zoo, NoisyOptimum(task), EvaluationConfig(count=2, structures=("5",)))
    picture = tmp_path / "metric.png"
    picture.write_bytes(b"png")
    with _track(root).stage("evaluate", "d1") as run:
        run.evaluation(evaluation, [picture])
        run.zoo_rows([{"label": "F2", "split": "train", "exact.js": v} for v in (1.0, 2.0, 9.0)])
    run = _runs(client)[0]["evaluate"]
    expected = evaluation.result("2", "generated").summary().median
    assert run.data.metrics["test/F2/generated/exact.js"] == pytest.approx(expected)
    assert run.data.metrics["test/F2/generated/ratio_to_held_out"] == pytest.approx(evaluation.ratios()["F2"])
    assert "test/F5-star/generated/exact.js" in run.data.metrics
    assert run.data.metrics["train/F2/exact.js"] == 2.0
    assert run.data.tags["zoogen.unseen"] == "F5*"
    assert run.data.tags["zoogen.zoo"] == zoo.plan.digest
    names = {item.path for folder in ("report", "tables") for item in client.list_artifacts(run.info.run_id, folder)}
    assert names == {"report/metric.png", "tables/zoo.csv"}


def test_results_are_runs_that_can_be_filtered_and_compared(root, client, judged):
    evaluation = judged
    for _ in range(2):  # the second time finds them all
        with _track(root).stage("evaluate", "d1") as run:
            run.evaluation(evaluation)
            run.results(evaluation, {"trial": "N=1"})
    (experiment,) = client.search_experiments(filter_string="name = 'zoogen-results'")
    found = client.search_runs([experiment.experiment_id], "tags.`zoogen.stage` = 'result'")
    assert len(found) == len(evaluation.results) and {run.info.status for run in found} == {"FINISHED"}
    filters = "params.method = 'generated' and params.structure = 'F5*' and params.N = '1' and params.M = '6'"
    (unseen,) = client.search_runs([experiment.experiment_id], filters)
    expected = evaluation.result("5", "generated").summary().median
    assert unseen.data.metrics["exact/js"] == pytest.approx(expected)
    assert unseen.data.params["known"] == "false"
    assert "sampled/l1" in unseen.data.metrics and "novelty/diversity.weights" in unseen.data.metrics, (
        "sections of their own"
    )
    parent = _runs(client)[0]["evaluate"]
    assert unseen.data.tags["zoogen.run"] == parent.info.run_id and unseen.data.params["trial"] == "N=1"
    assert unseen.info.run_name == "N=1 F5* generated"
    assert parent.data.params["M"] == "6"


def test_results_of_classifiers_have_accuracies(root, client):
    with _track(root).stage("evaluate", "d1") as run:
        run.results(hand_errors.evaluation())
    (generated,) = [run for run in _result_runs(client) if run.data.params["method"] == "generated"]
    figures = generated.data.metrics
    # Errors of 19, 21 and 20 %; the second network is chosen.
    assert figures["test/accuracy"] == pytest.approx(0.8) and figures["test/accuracy_best"] == pytest.approx(0.81)
    assert figures["test/accuracy_selected"] == pytest.approx(0.79) and figures["test/error"] == pytest.approx(0.2)
    assert figures["validation/accuracy"] == pytest.approx(0.8)


def test_a_network_that_is_not_finite_has_an_accuracy_of_zero():
    figures = accuracy_metrics(hand_errors.result("generated", (10.0, math.inf)))
    assert figures["test/accuracy"] == pytest.approx(0.45) and figures["test/accuracy_best"] == pytest.approx(0.9)
    assert accuracy_metrics(hand_made.result("generated", (0.1,))) == {}


def _result_runs(client):
    (experiment,) = client.search_experiments(filter_string="name = 'zoogen-results'")
    return client.search_runs([experiment.experiment_id])


def test_studies_and_trials_that_share_an_evaluation_have_results_of_their_own(root, client, judged):
    owners = [("N sweep", {"trial": "N=4"}), ("M sweep", {"trial": "N=4"}), ("M sweep", {"trial": "it's M"}), ("", {})]
    for study, params in owners * 2:
        inputs = judged.inputs.model_copy(update={"study": study})
        with _track(root).stage("evaluate", "d1") as run:
            run.results(judged.model_copy(update={"inputs": inputs}), params)
    found = [(run.data.params.get("study", ""), run.data.params.get("trial")) for run in _result_runs(client)]
    expected = [(study, params.get("trial")) for study, params in owners for _ in judged.results]
    assert sorted(found, key=str) == sorted(expected, key=str)


def test_a_result_that_was_interrupted_is_completed(root, client, judged, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    tracked = _track(root).stage("evaluate", "d1")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt), tracked as run:
        patch.setattr(type(client), "set_terminated", interrupt)
        run.results(judged)
    (begun,) = _result_runs(client)
    assert begun.info.status == "RUNNING"
    with _track(root).stage("evaluate", "d1") as run:
        run.results(judged)
    found = _result_runs(client)
    assert len(found) == len(judged.results) and {run.info.status for run in found} == {"FINISHED"}
    assert begun.info.run_id in {run.info.run_id for run in found}
    assert all(run.data.metrics for run in found)


def test_fresh_database_is_announced_and_deleted_experiments_come_back(root, client, tmp_path):
    said = []
    _track(root, said.append)
    assert said == []
    client.delete_experiment(client.get_experiment_by_name("study").experiment_id)
    with _track(root).stage("train", "d"):
        pass
    assert client.get_experiment_by_name("study").lifecycle_stage == "active"
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(ZoogenError, match="cannot use the tracking database .*writable"):
        open_tracker(QUIET, blocked / "root", "study", said.append)


def test_unreachable_server_is_one_line_and_quick(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "user")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    with socket.socket() as held:  # bound but not listening: connections are refused
        held.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{held.getsockname()[1]}"
        begin = time.monotonic()
        with pytest.raises(ZoogenError, match="cannot reach MLflow at .*tracking.kind=none") as caught:
            open_tracker(TrackingConfig(uri=uri), None, "study")
    assert time.monotonic() - begin < 15
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_broken_database_is_one_line(tmp_path):
    (tmp_path / "mlflow.db").write_text("no database at all, but long enough to be one" * 100)
    with pytest.raises(ZoogenError, match="cannot use the tracking database") as caught:
        open_tracker(QUIET, tmp_path, "study")
    assert "\n" not in str(caught.value)


def _broken(database):
    """Let the store fail at every call until what is returned is called."""
    contents = database.read_bytes()
    database.write_bytes(b"broken" * 1000)
    return lambda: database.write_bytes(contents)


def test_a_store_that_goes_away_costs_nothing_once_it_is_back(root, client):
    said = []
    tracker = _track(root, said.append)
    with tracker.pipeline("d0", config={}):
        with tracker.stage("train", "d1") as run:
            run.metrics({"loss": 1.0}, step=1)
            mend = _broken(root / "mlflow.db")
            run.text("a.txt", "told while the store was away")
            run.tags({"kept": "yes"})
            run.tags({"kept": "again"})
            mend()
        assert len(said) == 1
        assert "the work goes on" in said[0] and "SQL" not in said[0]
    runs, _ = _runs(client)
    assert {r.info.status for r in runs.values()} == {"FINISHED"}
    train = runs["train"]
    assert train.data.metrics == {"loss": 1.0} and train.data.tags["kept"] == "again"
    assert "a.txt" in {file.path for file in client.list_artifacts(train.info.run_id)}
    assert all(COMPLETE_TAG in run.data.tags for run in runs.values())


def test_a_record_is_complete_only_when_everything_has_arrived(root, client):
    said = []
    tracker = _track(root, said.append)
    points = [{"step": step, "loss": 1.0 / step} for step in range(1, 6)]
    with tracker.stage("train", "d1") as run:
        assert not run.recorded
        for point in points[:2]:
            run.metrics({"loss": point["loss"]}, point["step"], "train")
        run._flush()
        mend = _broken(root / "mlflow.db")
        for point in points[3:]:
            run.metrics({"loss": point["loss"]}, point["step"], "train")
    mend()
    assert len(said) == 1
    assert _runs(client)[0]["train"].info.status == "RUNNING"
    for expected in (False, True):
        with _track(root).stage("train", "d1") as run:
            run.reused = True
            assert run.recorded is expected
            if not expected:
                run.history(points, "train")
    run = _runs(client)[0]["train"]
    assert run.info.status == "FINISHED" and COMPLETE_TAG in run.data.tags
    history = client.get_metric_history(run.info.run_id, "train/loss")
    assert sorted((m.step, m.value) for m in history) == [(p["step"], p["loss"]) for p in points]


def test_what_is_refused_for_good_leaves_the_record_open(root, client):
    said = []
    with _track(root, said.append).stage("train", "d1") as run:
        run.params({"a": 1})
        run._known_params.clear()
        run.params({"a": 2})  # MLflow lets no parameter change
        run.metrics({"loss": 1.0})
    run = _runs(client)[0]["train"]
    assert run.info.status == "FINISHED" and run.data.metrics == {"loss": 1.0}
    assert COMPLETE_TAG not in run.data.tags and len(said) == 1


def test_a_go_that_loses_something_takes_the_mark_away(root, client, monkeypatch):
    with _track(root).stage("train", "d1"):
        pass
    with monkeypatch.context() as patch, _track(root).stage("train", "d1") as run:
        assert run.recorded
        patch.setattr(type(client), "log_text", lambda *_: (_ for _ in ()).throw(OSError("no space left")))
        run.text("a.txt", "lost")
    run = _runs(client)[0]["train"]
    assert run.info.status == "FINISHED" and COMPLETE_TAG not in run.data.tags


def test_no_tracking_and_remote_root():
    tracker = open_tracker(TrackingConfig(kind="none"), None, "study")
    assert isinstance(tracker, NullTracker)
    assert tracker.ui_command() is None
    with tracker.pipeline("d", config={}), tracker.stage("train", "e") as run:
        run.metrics({"loss": 1.0})
    with pytest.raises(ZoogenError, match="remote.*tracking.uri.*tracking.kind=none"):
        open_tracker(QUIET, None, "study")


def test_no_mlflow_without_tracking():
    script = (
        "import sys; from zoogen.tracking.tracker import TrackingConfig, open_tracker\n"
        "open_tracker(TrackingConfig(kind='none'), None, 's'); assert 'mlflow' not in sys.modules"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "platform")}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment, timeout=120)


def test_ui_command_is_for_loopback(tmp_path):
    line = ui_command(tmp_path / "my root")
    assert "--host 127.0.0.1" in line
    assert "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false" in line
    assert f"'sqlite:///{tmp_path}/my root/mlflow.db'" in line
    assert ui_command(None, "http://u:pw@host:5000") == "http://u:***@host:5000"


def test_system_metrics_are_logged_to_the_pipeline(root, client, monkeypatch):
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.05")
    tracker = open_tracker(TrackingConfig(), root, "study")
    with tracker.pipeline("d0", config={}):
        run_id = _runs(client)[0]["pipeline"].info.run_id
        deadline = time.monotonic() + 60
        while not client.get_run(run_id).data.metrics and time.monotonic() < deadline:
            time.sleep(0.05)
    run = client.get_run(run_id)
    assert any(name.startswith("system/") for name in run.data.metrics)
    assert run.info.status == "FINISHED"
