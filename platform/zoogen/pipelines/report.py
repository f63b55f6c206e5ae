"""Where tables and figures go; they are drawn again only where something that they are made of has changed."""

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path

import zoogen.reports
from zoogen.artifact import examine
from zoogen.errors import DamagedError
from zoogen.evaluation.records import Record, record_bytes
from zoogen.evaluation.result import Evaluation
from zoogen.pipelines.context import Study
from zoogen.reports.named_evaluations import Origin
from zoogen.seal import content_hash, sealed_json, unsealed_json
from zoogen.secrets import masked, masked_settings
from zoogen.weights.files import write_bytes

Files = Mapping[str, bytes]

DRAWN = "drawn.json"  # in a report's folder: the hash of what its files are made of, and theirs
_DRAWING = ("matplotlib", "jinja2")  # packages that decide how files look


def report_folder(study: Study) -> str:
    """Key of the folder of the study's report."""
    return f"reports/{study.config.study}-{study.evaluation_digest}"


def write_reports(study: Study, evaluation: Evaluation) -> tuple[Path, ...]:
    """Tables and figures under the artifact root; they are derived and may be made again."""
    made_by = origin(study, "pipeline")

    def render() -> Files:
        from zoogen.reports.write import render_report  # draws

        return render_report(evaluation, made_by)

    return store_files(study, report_folder(study), made_of(evaluation, made_by), render)


def origin(study: Study, command: str) -> Origin:
    """A study's command and configuration, without the passwords of its stores."""
    configuration = masked_settings(study.config.model_dump(mode="json"))
    return Origin(masked(f"zoogen {command} {study.source}"), configuration)


def made_of(result: Record, made_by: Origin, *more: str) -> str:
    """Hash of all that decides what a report says: the result, the command, and `more`."""
    return content_hash(record_bytes(result), json.dumps([asdict(made_by), more], sort_keys=True, default=str).encode())


def store_files(study: Study, folder: str, source: str, render: Callable[[], Files]) -> tuple[Path, ...]:
    """Derived files in a folder under the artifact root, each whole or not at all, by name.

    Under a remote root they lie there, and a copy to look at in a temporary folder.

    Args:
        source: hash of what they are made of. They are left as they are if that, the code and the packages that draw
            are those of the last time and every file is there and whole.
        render: draws them.

    Raises:
        ZoogenError: the folder cannot be written.
    """
    source, root = content_hash(source.encode(), _drawing().encode()), study.store.root
    files = _drawn(study, folder, source)
    place = study.store.folder(folder) or Path(tempfile.mkdtemp(prefix=f"zoogen-{study.config.study}-"))
    if files is None:
        files = render()
        hashes = {name: content_hash(data) for name, data in files.items()}
        stamp = sealed_json({"made_of": source, "files": hashes})
        for name, data in {**files, DRAWN: stamp}.items():  # the stamp comes last
            _write(study, f"{folder}/{name}", data)
    if root is None:
        for name, data in files.items():
            write_bytes(place / name, data)
    return tuple(place / name for name in files)


def _drawn(study: Study, folder: str, source: str) -> Files | None:
    """The files of an earlier call; None if they are of something else, or one is missing or changed."""
    stamp = examine(study.store, f"{folder}/{DRAWN}", _read).value
    if stamp is None or stamp.get("made_of") != source or not isinstance(hashes := stamp.get("files"), dict):
        return None
    files = {}
    for name, expected in hashes.items():
        there = examine(study.store, f"{folder}/{name}", bytes)
        if there.value is None or content_hash(there.value) != expected:
            return None
        files[name] = there.value
    return files


def _read(data: bytes) -> dict[str, object]:
    try:
        return unsealed_json(data)
    except ValueError as error:
        raise DamagedError(str(error)) from None


def _write(study: Study, key: str, data: bytes) -> None:
    if (path := study.store.local_path_of(key)) is not None:
        write_bytes(path, data)
    elif there := study.store.version(key):
        study.store.replace(key, data, there)
    else:
        study.store.put_if_absent(key, data)


@cache
def _drawing() -> str:
    """Hash of the code and the versions of the packages that draw reports."""
    folder = Path(zoogen.reports.__path__[0])
    sources = [path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    return content_hash(*(path.read_bytes() for path in sources), *(version(name).encode() for name in _DRAWING))
