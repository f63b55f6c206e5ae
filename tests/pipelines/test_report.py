"""Reports are drawn again where something that they are made of has changed, and only there."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.reports.hand_made import usual
from tests.studies import MakeStudy

from zoogen.pipelines import report
from zoogen.pipelines.report import DRAWN, made_of, origin, store_files

FILES = {"report.html": b"<html>", "figures/metric.png": b"\x89PNG"}


class Artist:
    """Counts what it draws."""

    def __init__(self, files: Mapping[str, bytes] = FILES) -> None:
        self.files, self.drawn = files, 0

    def __call__(self) -> Mapping[str, bytes]:
        self.drawn += 1
        return self.files


@pytest.mark.parametrize("root", ["", "memory://reports"])
def test_files_are_drawn_once_and_again_when_one_changes_or_goes(
    make_study: MakeStudy, tmp_path: Path, root: str
) -> None:
    study = make_study(**({"artifacts": root + tmp_path.name} if root else {}))
    artist = Artist()
    for _ in range(2):
        paths = store_files(study, "reports/x", "source", artist)
        assert [path.read_bytes() for path in paths] == list(FILES.values()) and artist.drawn == 1
        assert DRAWN not in {path.name for path in paths}
    if not root:
        paths[1].write_bytes(b"\x88PNG")
        assert store_files(study, "reports/x", "source", artist)[1].read_bytes() == b"\x89PNG" and artist.drawn == 2
        paths[0].unlink()
        assert store_files(study, "reports/x", "source", artist)[0].exists() and artist.drawn == 3
        (paths[0].parent / DRAWN).write_text("{}")
        store_files(study, "reports/x", "source", artist)
        assert artist.drawn == 4
    newer = Artist({"report.html": b"<html>newer"})
    (page,) = store_files(study, "reports/x", "other source", newer)
    assert page.read_bytes() == b"<html>newer" and study.store.get("reports/x/report.html") == b"<html>newer"
    store_files(study, "reports/x", "other source", newer)
    assert newer.drawn == 1


def test_other_code_draws_anew(make_study: MakeStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    study, artist = make_study(), Artist()
    store_files(study, "reports/x", "source", artist)
    monkeypatch.setattr(report, "_drawing", lambda: "another version")
    store_files(study, "reports/x", "source", artist)
    assert artist.drawn == 2


def test_the_source_covers_result_command_and_configuration(make_study: MakeStudy) -> None:
    study, evaluation = make_study(), usual()
    sources = [
        made_of(evaluation, origin(study, "pipeline")),
        made_of(evaluation, origin(study, "evaluate")),
        made_of(evaluation, origin(make_study(seed=1), "pipeline")),
        made_of(usual(study="other"), origin(study, "pipeline")),
        made_of(evaluation, origin(study, "pipeline"), "column"),
    ]
    assert len(set(sources)) == 5 and made_of(usual(), origin(make_study(), "pipeline")) == sources[0]
