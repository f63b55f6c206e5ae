"""`zoogen report` finds evaluations in every way that a user may name them; wrong arguments are one line."""

import re
import shutil
from pathlib import Path

import pytest
from tests.reports.hand_made import usual

from zoogen.cli import main
from zoogen.commands.report import EvaluationArgument, Found, find_evaluations, named_evaluations, parse_arguments
from zoogen.console import Console
from zoogen.errors import ZoogenError
from zoogen.evaluation.records import record_bytes
from zoogen.evaluation.result import Evaluation
from zoogen.pipelines.open import open_study
from zoogen.sweeps.plan import load_sweep
from zoogen.zoo.store import ArtifactStore


def stored(key: str, evaluation: Evaluation) -> tuple[str, bytes]:
    """A key, and what lies there."""
    return key, record_bytes(evaluation, key)


def silent(_: str) -> None:
    """Takes notices that a test does not look at."""


DIGESTS = ("abc0000000000001", "abd0000000000002")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An artifact root with two evaluations."""
    store = ArtifactStore(tmp_path / "artifacts")
    for number, name in enumerate(DIGESTS):
        store.put_if_absent(*stored(f"evaluations/{name}.json", usual(study=f"study-{number}")))
    return tmp_path / "artifacts"


def run(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Output of `zoogen report`, which must end well."""
    with pytest.raises(SystemExit) as stop:
        main(["report", *map(str, words)])
    captured = capsys.readouterr()
    assert stop.value.code == 0, captured.err
    return captured.out


def failing(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """The one line of an error."""
    with pytest.raises(SystemExit) as stop:
        main(["report", *map(str, words)])
    captured = capsys.readouterr()
    assert stop.value.code == 2 and captured.out == "" and captured.err.count("\n") == 1, captured.err
    return captured.err


def test_overrides_belong_to_the_run_before_them() -> None:
    words = ["a.yaml", "zoo.runs=8", "seed=1", "b.yaml", "abc", "a.yaml", "zoo.runs=4"]
    assert parse_arguments(words) == [
        EvaluationArgument("a.yaml", ("zoo.runs=8", "seed=1")),
        EvaluationArgument("b.yaml"),
        EvaluationArgument("abc"),
        EvaluationArgument("a.yaml", ("zoo.runs=4",)),
    ]
    with pytest.raises(ZoogenError, match="seed=1 comes before any EVALUATION"):
        parse_arguments(["seed=1", "a.yaml"])


def test_digest_file_and_folder_lead_to_the_evaluation(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    folder.mkdir()
    shutil.copy(root / "evaluations" / f"{DIGESTS[0]}.json", folder / "evaluation.json")
    for text in (DIGESTS[0], "abc", str(root / "evaluations" / f"{DIGESTS[0]}.json"), str(folder)):
        (found,) = find_evaluations(EvaluationArgument(text), str(root), silent)
        assert found.evaluation == usual(study="study-0")


def test_a_study_leads_to_its_evaluation_and_overrides_to_another(tiny_file: Path, tmp_path: Path) -> None:
    study = open_study(str(tiny_file), ["seed=7"], Console())
    study.store.put_if_absent(*stored(f"evaluations/{study.evaluation_digest}.json", usual(study="seven")))
    (found,) = find_evaluations(EvaluationArgument(str(tiny_file), ("seed=7",)), None, silent)
    assert (found.digest, found.study) == (study.evaluation_digest, "tiny"), "the asking study's name"
    with pytest.raises(ZoogenError, match=r"run `zoogen evaluate .*tiny\.yaml` first"):
        find_evaluations(EvaluationArgument(str(tiny_file)), None, silent)


def sweep_file(tiny_file: Path, more: str = "") -> Path:
    """A sweep of two seeds beside the tiny study."""
    sweep = tiny_file.parent / "sweep.yaml"
    points = "[{name: one, seed: 1}, {name: two, seed: 2}]"
    sweep.write_text(f"study: s\nbase: {tiny_file.name}\noverrides: {{ray: {{num_cpus: 1}}}}\npoints: {points}\n{more}")
    return sweep


def test_a_sweep_leads_to_the_evaluations_of_its_trials(tiny_file: Path) -> None:
    sweep = sweep_file(tiny_file)
    trials = load_sweep(sweep).trials
    store = trials[0].study(Console()).store
    digests = [trial.study(Console()).evaluation_digest for trial in trials]
    notices: list[str] = []
    with pytest.raises(ZoogenError, match=r"no trial of .* has an evaluation; run `zoogen sweep .*sweep\.yaml` first"):
        find_evaluations(EvaluationArgument(str(sweep)), None, notices.append)
    store.put_if_absent(*stored(f"evaluations/{digests[1]}.json", usual(study="s")))
    (found,) = find_evaluations(EvaluationArgument(str(sweep)), None, notices.append)
    assert (found.digest, found.trial) == (digests[1], "two")
    assert len(notices) == 1 and "1 of 2 trials have no evaluation" in notices[0] and notices[0].endswith(": one")
    store.put_if_absent(*stored(f"evaluations/{digests[0]}.json", usual(study="s")))
    both = find_evaluations(EvaluationArgument(str(sweep)), None, notices.append)
    assert [item.digest for item in both] == digests and len(notices) == 1
    assert [r.name for r in named_evaluations(both)] == ["one", "two"]


def test_a_partial_sweep_says_so_on_its_page(
    tiny_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = sweep_file(tiny_file)
    study = load_sweep(sweep).trials[0].study(Console())
    study.store.put_if_absent(*stored(f"evaluations/{study.evaluation_digest}.json", usual()))
    run(capsys, sweep, "--out", tmp_path / "out")
    head = (tmp_path / "out" / "report.md").read_text().partition("##")[0]
    assert "have no evaluation (not run, failed, or stopped early): two" in head


def test_a_sweep_that_ends_before_the_evaluation_is_refused(tiny_file: Path) -> None:
    sweep = sweep_file(tiny_file, "stage: train_autoencoder\n")
    with pytest.raises(ZoogenError, match=r"sweep\.yaml ends with train_autoencoder, so .* no evaluations"):
        find_evaluations(EvaluationArgument(str(sweep)), None, silent)


def test_runs_of_one_study_are_told_apart_and_the_same_is_taken_once() -> None:
    found = [Found(EvaluationArgument("x"), name, usual()) for name in (*DIGESTS, DIGESTS[0])]
    assert [r.name for r in named_evaluations(found)] == ["hand-made-abc00000", "hand-made-abd00000"]
    assert [r.name for r in named_evaluations(found[:1])] == ["hand-made"]


def test_an_evaluation_that_two_sweeps_share_is_a_trial_of_each() -> None:
    def trial(name: str) -> Found:
        return Found(EvaluationArgument("x"), DIGESTS[0], usual(), name)

    assert [r.name for r in named_evaluations([trial("N=4"), trial("M=200"), trial("N=4")])] == ["N=4", "M=200"]


def test_command_writes_tables_and_figures_side_by_side(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = run(capsys, "abc", "abd", "--artifacts", root, "--out", tmp_path / "out")
    assert f"report: {tmp_path / 'out' / 'report.html'}" in out and "new and good" in out
    assert max(map(len, out.splitlines())) <= 120 + len(str(tmp_path))
    page = (tmp_path / "out" / "report.md").read_text()
    assert "| structure | evaluation | generated |" in page and "![study-0/novelty.png](study-0/novelty.png)" in page
    assert (tmp_path / "out" / "study-1" / "audit.csv").exists()


def test_without_out_the_report_lies_under_the_artifact_root(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "abc", "--artifacts", root)
    assert len(list(root.glob("reports/comparison-*/report.md"))) == 1


def test_without_out_the_report_lies_under_the_studys_own_root(
    tiny_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = f"artifacts={tmp_path / 'elsewhere'}"
    study = open_study(str(tiny_file), [own], Console())
    study.store.put_if_absent(*stored(f"evaluations/{study.evaluation_digest}.json", usual()))
    monkeypatch.chdir(tmp_path)
    run(capsys, tiny_file, own)
    assert len(list(tmp_path.glob("elsewhere/reports/comparison-*/report.md"))) == 1
    assert not (tmp_path / "artifacts").exists()


@pytest.mark.parametrize("name", ["../../evil", "/evil", "coordinates=x/h", "a name (with) spaces"])
def test_a_studys_name_never_leads_out_of_the_folder(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "evaluation.json").write_text(usual(study=name).to_json())
    out = tmp_path / "deep" / "down" / "out"
    run(capsys, tmp_path, "--out", out)
    written = {path for path in tmp_path.rglob("*") if path.is_file()} - {tmp_path / "evaluation.json"}
    assert all(path.parent == out or path.parent.parent == out for path in written)
    page = (out / "report.md").read_text()
    assert page.startswith(f"# {name}\n"), "shown as it is"
    links = re.findall(r"!\[.*?\]\((.*)\)", page)
    assert links and all((out / link).is_file() and not re.search(r"[\s()]", link) for link in links)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("nowhere",), "there is no evaluation 'nowhere'"),
        (("ab",), "there is no evaluation 'ab'"),
        (("abe",), "no evaluation abe under"),
        (("abc", "seed=1"), "abc is no study's YAML file, so seed=1 changes nothing"),
        (("missing.yaml",), "cannot read configuration missing.yaml"),
        (("seed=1",), "comes before any EVALUATION"),
    ],
)
def test_wrong_runs_are_one_line(
    words: tuple[str, ...], expected: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = failing(capsys, *words, "--artifacts", root, "--out", tmp_path / "out")
    assert expected in message
    assert not (tmp_path / "out").exists()


def test_wrong_files_are_one_line(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.json").write_text('{"inputs": {}}')
    assert "x.json is no Evaluation: " in failing(capsys, tmp_path / "x.json")
    assert "cannot read" in failing(capsys, tmp_path)
    ambiguous = ArtifactStore(root)
    ambiguous.put_if_absent("evaluations/abc0000000000003.json", b"{}")
    assert "digest abc is not unique: abc0000000000001, abc0000000000003" in failing(capsys, "abc", "--artifacts", root)
