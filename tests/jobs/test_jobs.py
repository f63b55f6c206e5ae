"""jobs/*.py call the command line with the name of their stage."""

import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
JOBS = sorted((ROOT / "jobs").glob("*.py"))


@pytest.mark.parametrize("job", JOBS, ids=lambda path: path.stem)
def test_job_is_its_stage(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr("zoogen.cli.main", called.append)
    monkeypatch.setattr(sys, "argv", [str(job), "study.yaml", "zoo.runs=8"])
    runpy.run_path(str(job), run_name="__main__")
    assert called == [[job.stem.replace("_", "-"), "study.yaml", "zoo.runs=8"]]


def test_every_stage_has_a_job() -> None:
    from zoogen.commands.run import STAGES

    others = {"generate", "benchmark", "similarity", "finetune", "sweep", "report"}
    assert {path.stem for path in JOBS} == {*STAGES, *others}


def test_jobs_do_nothing_when_imported() -> None:
    for job in JOBS:
        runpy.run_path(str(job), run_name="imported")
