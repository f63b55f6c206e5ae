"""Where an evaluation's tables and figures go."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from zoogen.evaluation.result import Evaluation
from zoogen.pipelines.context import Study
from zoogen.reports.named_evaluations import Origin
from zoogen.reports.write import render_report, write_files
from zoogen.secrets import masked, masked_settings


def report_folder(study: Study) -> str:
    """Key of the folder of the study's report."""
    return f"reports/{study.config.study}-{study.evaluation_digest}"


def write_reports(study: Study, evaluation: Evaluation) -> tuple[Path, ...]:
    """Write tables and figures under the artifact root; they are derived and may be made again."""
    return store_files(study, report_folder(study), render_report(evaluation, origin(study, "pipeline")))


def origin(study: Study, command: str) -> Origin:
    """A study's command and configuration, without the passwords of its stores."""
    configuration = masked_settings(study.config.model_dump(mode="json"))
    return Origin(masked(f"zoogen {command} {study.source}"), configuration)


def store_files(study: Study, folder: str, files: Mapping[str, bytes]) -> tuple[Path, ...]:
    """Write derived files into a folder under the artifact root, each whole or not at all, and name them.

    Under a remote root they are written there, and a copy to look at into a temporary folder.

    Raises:
        ZoogenError: the folder cannot be written.
    """
    if study.store.root is None:
        for name, data in files.items():
            study.store.put_if_absent(f"{folder}/{name}", data)
    place = study.store.folder(folder) or Path(tempfile.mkdtemp(prefix=f"zoogen-{study.config.study}-"))
    return write_files(files, place)
