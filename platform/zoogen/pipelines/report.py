"""Where an evaluation's tables and figures go."""

import tempfile
from pathlib import Path

from zoogen.evaluation.result import Evaluation
from zoogen.pipelines.context import Study
from zoogen.reports.write import render_report, write_report


def report_folder(study: Study) -> str:
    """Key of the folder of the study's report."""
    return f"reports/{study.config.study}-{study.evaluation_digest}"


def write_reports(study: Study, evaluation: Evaluation) -> tuple[Path, ...]:
    """Write tables and figures under the artifact root; they are derived and may be made again.

    Under a remote root they are written there, and a copy to look at into a temporary folder.
    """
    folder = report_folder(study)
    root = study.store.root
    if root is not None:
        return tuple(write_report(evaluation, root / folder))
    for name, data in render_report(evaluation).items():
        study.store.put_if_absent(f"{folder}/{name}", data)
    return tuple(write_report(evaluation, tempfile.mkdtemp(prefix=f"zoogen-{study.config.study}-")))
