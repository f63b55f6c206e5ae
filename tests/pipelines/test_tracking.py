"""What a user finds in the MLflow UI after a pipeline."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.studies import MakeStudy

from zoogen.pipelines import stages
from zoogen.pipelines.fine_tune import fine_tune
from zoogen.tracking.mlflow_run import COMPLETE_TAG


@pytest.fixture
def tracked(make_study: MakeStudy) -> MakeStudy:
    return lambda **changes: make_study(tracking={"kind": "mlflow", "system_metrics": False}, **changes)


def test_one_experiment_a_parent_run_and_a_child_per_stage(tracked: MakeStudy, tmp_path: Path) -> None:
    study = tracked()
    stages.pipeline(study)
    command = study.tracker.ui_command()
    assert command is not None and f"sqlite:///{tmp_path}/artifacts/mlflow.db" in command and "127.0.0.1" in command

    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path}/artifacts/mlflow.db")
    experiment = client.get_experiment_by_name("tiny")
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id])
    runs = {run.info.run_name: run for run in found}
    assert set(runs) == {"tiny", "zoo", "autoencoder", "generator", "evaluation"}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    parent = runs["tiny"]
    assert parent.data.params["zoo.runs"] == "3" and parent.data.params["generator.sampler.steps"] == "3"
    for name in set(runs) - {"tiny"}:
        assert runs[name].data.tags["mlflow.parentRunId"] == parent.info.run_id

    # Metrics with steps: the loop logs every 2 of 6 iterations.
    for name in ("autoencoder", "generator"):
        history = client.get_metric_history(runs[name].info.run_id, "train/loss")
        assert [point.step for point in history] == [2, 4, 6]
        (entry,) = runs[name].inputs.dataset_inputs
        assert entry.dataset.digest == study.plan.digest
    assert runs["generator"].data.tags["zoogen.autoencoder"] == study.autoencoder_digest
    assert runs["zoo"].data.metrics["checkpoints"] == 36
    assert any(key.startswith("test/F-star 8_2/generated/") for key in runs["evaluation"].data.metrics)

    for name in ("tiny", "evaluation"):
        files = {file.path for file in client.list_artifacts(runs[name].info.run_id, "report")}
        assert {"report/report.html", "report/table.md", "report/evaluation.json", "report/metric.png"} <= files
    assert "config.yaml" in {file.path for file in client.list_artifacts(parent.info.run_id)}
    assert "tables/zoo.csv" in {file.path for file in client.list_artifacts(runs["zoo"].info.run_id, "tables")}

    # A run per structure and method, so that the UI can filter and compare them.
    together = client.get_experiment_by_name("zoogen-results")
    assert together is not None
    results = client.search_runs([together.experiment_id])
    assert {run.data.tags["zoogen.run"] for run in results} == {runs["evaluation"].info.run_id}
    assert {run.data.params["study"] for run in results} == {"tiny"}
    (unseen,) = [r for r in results if (r.data.params["structure"], r.data.params["method"]) == ("F*", "generated")]
    assert unseen.data.params["N"] == runs["evaluation"].data.params["N"] and "exact/js" in unseen.data.metrics

    ends = {run.info.run_id: run.info.end_time for run in (*found, *results)}
    assert stages.pipeline(tracked()).reused
    again = client.search_runs([experiment.experiment_id, together.experiment_id])
    assert {run.info.run_id: run.info.end_time for run in again} == ends, "the same command makes no new runs"


OF_A_GO = ("seconds",)  # metrics of the building, which a record that is written later cannot know


def recorded(root: Path) -> dict[tuple[str, ...], dict[str, Any]]:
    """Everything that MLflow has of every run, by what the run is."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{root}/mlflow.db")
    runs = client.search_runs([each.experiment_id for each in client.search_experiments()], max_results=1000)
    records = {}
    for run in runs:
        tags, identity = run.data.tags, run.info.run_id
        name = (tags["zoogen.stage"], tags["zoogen.digest"], run.data.params.get("method", ""))
        own = {key for key in tags if key.startswith("zoogen.") and key != "zoogen.run"}
        points = {key: client.get_metric_history(identity, key) for key in run.data.metrics}
        records[name] = {
            "state": run.info.status,
            "params": {key: value for key, value in run.data.params.items() if key != "artifacts"},
            "tags": {key: tags[key] for key in own},
            "metrics": {key: sorted((p.step, p.value) for p in at) for key, at in points.items() if key not in OF_A_GO},
            "seconds": "seconds" in points,
            "inputs": sorted((each.dataset.name, each.dataset.digest) for each in run.inputs.dataset_inputs),
            "files": sorted(
                file.path for place in ("", "report", "tables") for file in client.list_artifacts(identity, place)
            ),
        }
    return records


def test_a_record_that_was_lost_is_written_again_from_the_artifacts(
    tracked: MakeStudy, migrated: Path, tmp_path: Path
) -> None:
    fine_tuning = {"iterations": 2, "points": 2, "count": 2, "structures": ["F*"]}
    first, second = tmp_path / "artifacts", tmp_path / "again"

    def work(root: Path) -> None:
        for stage in (stages.pipeline, stages.build_zoo, fine_tune):
            stage(tracked(fine_tuning=fine_tuning, artifacts=str(root)))

    first.mkdir()
    shutil.copy(migrated, first / "mlflow.db")
    work(first)
    undisturbed = recorded(first)
    assert len({stage for stage, _, _ in undisturbed}) == 7
    assert all(COMPLETE_TAG in each["tags"] for (stage, _, _), each in undisturbed.items() if stage != "result")
    # As if MLflow had been away all the time.
    shutil.copytree(first, second, ignore=shutil.ignore_patterns("mlflow.db", "mlartifacts"))
    shutil.copy(migrated, second / "mlflow.db")
    made = {path: path.stat().st_mtime_ns for path in second.rglob("*.parquet")}
    work(second)
    assert recorded(second) == undisturbed
    assert made == {path: path.stat().st_mtime_ns for path in second.rglob("*.parquet")}
