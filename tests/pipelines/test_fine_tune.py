"""The stage `finetune` and training on from weights files, on a study of seconds without Ray."""

import csv
import io
from pathlib import Path

import pytest
import torch
from tests.studies import MakeStudy

from zoogen.cli import main
from zoogen.commands.weights import result_lines
from zoogen.errors import ZoogenError
from zoogen.evaluation.fine_tuning_result import FineTuning
from zoogen.evaluation.records import read_record
from zoogen.pipelines import stages
from zoogen.pipelines.digests import fine_tuning_key
from zoogen.pipelines.fine_tune import fine_tune, fine_tuning_digest, part_key
from zoogen.pipelines.fine_tune_file import fine_tune_file
from zoogen.pipelines.open import open_study
from zoogen.weights.files import read_weights, write_weights

ROOT = Path(__file__).parents[2]
REFERENCE = {"structures": ["E*"], "runs": 2, "validation_runs": 0, "test_runs": 0}
SETTINGS = {"structures": ["F*", "E*"], "count": 2, "iterations": 30, "points": 4}
STARTS = ["generated", "nearest", "average-5", "random", "untrained"]


def test_study_is_fine_tuned_once(make_study: MakeStudy, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = make_study(reference=REFERENCE, fine_tuning=SETTINGS)
    with pytest.raises(ZoogenError, match="zoogen train-generator tiny.yaml"):
        fine_tune(study)
    stages.pipeline(study)
    result = fine_tune(study)
    known, unseen = result.fine_tuning.results
    assert [curve.start for curve in known.curves] == STARTS and known.level_of == "held-out"
    assert [curve.start for curve in unseen.curves] == ["generated", "nearest", "untrained"]
    assert (unseen.level_of, unseen.level_runs) == ("reference", 2)
    assert known.steps == (1, 3, 10, 30)
    for curve in (*known.curves, *unseen.curves):
        assert len(curve.values) == 5 and len(curve.reward) == len(curve.states_visited) == 4
        assert all(0.1 <= reward <= 2.6 for rewards in curve.reward for reward in rewards)
    assert sorted(path.name for path in result.report) == [
        "fine-tuning.json",
        "fine-tuning.png",
        "report.html",
        "table.csv",
        "table.md",
    ]
    table = (tmp_path / "artifacts" / "reports" / f"tiny-fine-tune-{result.digest}" / "table.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(table)))
    assert {(row["structure"], row["method"]) for row in rows} == {
        (found.label, curve.start) for found in (known, unseen) for curve in found.curves
    }
    capsys.readouterr()
    again = fine_tune(make_study(reference=REFERENCE, fine_tuning=SETTINGS))
    assert again.reused and again.fine_tuning == result.fine_tuning
    assert "reused" in capsys.readouterr().err

    # without the whole, its parts are taken over, and further structures leave them as they are
    store = study.store
    parts = [store.get(part_key(study, name)) for name in ("16,8,2,4", "4,2,2,2")]
    (tmp_path / "artifacts" / fine_tuning_key(result.digest)).unlink()
    more = make_study(reference=REFERENCE, fine_tuning={**SETTINGS, "structures": ["E*", "F*"]})
    reordered = fine_tune(more)
    assert not reordered.reused and reordered.digest != result.digest
    assert reordered.fine_tuning.results == (unseen, known)
    assert [store.get(part_key(more, name)) for name in ("16,8,2,4", "4,2,2,2")] == parts


def test_what_needs_no_generator_asks_for_none(make_study: MakeStudy) -> None:
    study = make_study(fine_tuning={"starts": ["untrained", "random"], "iterations": 4, "points": 2, "count": 1})
    with pytest.raises(ZoogenError, match="build-zoo"):
        fine_tune(study)
    stages.build_zoo(study)
    result = fine_tune(study).fine_tuning
    assert result.inputs.generator == "" and len(result.results) == 3, "all structures of the study"
    text = result.to_json()
    assert read_record(FineTuning, text, "x") == result


def test_other_levels_are_told_of_the_same_curves(make_study: MakeStudy) -> None:
    settings = {"starts": ["untrained", "random"], "iterations": 4, "points": 2, "count": 1, "structures": ["F*"]}
    stages.build_zoo(make_study())
    first = fine_tune(make_study(fine_tuning=settings))
    more = fine_tune(make_study(fine_tuning={**settings, "factors": [1, 5]}))
    assert more.digest != first.digest and not more.reused
    assert more.fine_tuning.results == first.fine_tuning.results, "seconds included: nothing was trained again"
    assert any(name.endswith("reached trained x5") for name in more.fine_tuning.medians())


def test_damaged_curves_are_trained_again(
    make_study: MakeStudy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"starts": ["untrained"], "iterations": 4, "points": 2, "count": 1, "structures": ["F*"]}
    stages.build_zoo(make_study())
    first = fine_tune(make_study(fine_tuning=settings))
    paths = list((tmp_path / "artifacts" / "fine_tuning").rglob("*.json"))
    assert len(paths) == 2, "the whole and its part"
    for path in paths:
        path.write_text(path.read_text().replace("1", "2", 1))
    capsys.readouterr()
    again = fine_tune(make_study(fine_tuning=settings))
    said = capsys.readouterr().err
    assert all(f"{path.name} is damaged (" in said for path in paths) and not again.reused
    values = [curve.values for found in again.fine_tuning.results for curve in found.curves]
    assert values == [curve.values for found in first.fine_tuning.results for curve in found.curves]
    assert fine_tune(make_study(fine_tuning=settings)).reused


def test_a_damaged_tuned_file_is_written_again(make_study: MakeStudy, tmp_path: Path) -> None:
    study = make_study(fine_tuning={"iterations": 3})
    target = study.targets[0]
    write_weights(tmp_path / "nets.safetensors", target.layout, study.task.untrained(target.structure, 2, 0), {})
    first = fine_tune_file(study, str(tmp_path / "nets.safetensors"))
    whole = first.path.read_bytes()
    for damaged in (whole[:-1], whole.replace(b"F32", b"I32", 1), b""):
        first.path.write_bytes(damaged)
        again = fine_tune_file(study, str(tmp_path / "nets.safetensors"))
        assert again.seconds is not None and again.path.read_bytes() == whole
    assert fine_tune_file(study, str(tmp_path / "nets.safetensors")).seconds is None


def test_starts_are_made_of_what_the_generator_learns_from(make_study: MakeStudy) -> None:
    settings = {"starts": ["training", "nearest"], "iterations": 4, "points": 2, "count": 4, "structures": ["F*", "E*"]}
    study = make_study(last_checkpoints=1, best_runs=0.3, fine_tuning=settings)
    for stage in (stages.build_zoo, stages.train_autoencoder, stages.train_generator):
        stage(study)
    known, unseen = fine_tune(study).fine_tuning.results
    learnt = {rows.target.structure: rows.weights for rows in study.checkpoints("train")}
    assert {len(weights) for weights in learnt.values()} == {1}, "the last checkpoint of the best run"
    training, nearest = known.curves
    scores = study.task.score(known.structure, learnt[known.structure])
    assert training.values[0] == pytest.approx(scores.metric(known.primary).tolist())
    assert nearest.values[0] == pytest.approx([training.values[0][0]] * 4)
    assert [(curve.start, curve.count) for curve in unseen.curves] == [("nearest", 1)]
    assert known.level_runs == 2, "all held-out runs tell the level"


def test_settings_name_the_artifact(make_study: MakeStudy) -> None:
    plain = fine_tuning_digest(make_study())
    for change in ({"seed": 1}, {"iterations": 5}, {"count": 3}, {"structures": ["F*"]}, {"starts": ["random"]}):
        assert fine_tuning_digest(make_study(fine_tuning=change)) != plain
    random = {"starts": ["random"]}  # needs no generator, whose name would tell
    changes: list[dict[str, object]] = [{}, {"best_runs": 0.5}, {"last_checkpoints": 1}]
    assert len({fine_tuning_digest(make_study(fine_tuning=random, **change)) for change in changes}) == 3
    assert fine_tuning_digest(make_study(device="cpu", pool={"workers": 2})) == plain


def test_weights_file_is_trained_on(make_study: MakeStudy, tmp_path: Path) -> None:
    study = make_study(fine_tuning={"iterations": 200})
    source, out = tmp_path / "start.safetensors", tmp_path / "tuned.safetensors"
    weights = study.task.untrained("3^2", 3, seed=2)
    write_weights(source, study.task.layout("3^2"), weights, {})
    file = fine_tune_file(study, str(source), str(out))
    assert (file.count, file.iterations, file.path) == (3, 200, out) and file.seconds is not None
    torch.testing.assert_close(file.before["exact.js"], study.task.score("3^2", weights).metric("exact.js"))
    assert (file.after["exact.js"] < file.before["exact.js"] / 2).all()
    assert read_weights(out).metadata["iterations"] == "200"
    written = out.read_bytes()
    again = fine_tune_file(make_study(fine_tuning={"iterations": 200}), str(source), str(out))
    assert again.seconds is None and "reused" in result_lines(again)[0] and out.read_bytes() == written
    longer = fine_tune_file(study, str(source), str(out), iterations=201)
    assert longer.seconds is not None and read_weights(out).metadata["iterations"] == "201"
    with pytest.raises(ZoogenError, match="is the file that is read"):
        fine_tune_file(study, str(source), str(source))


def test_command_line(tiny_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        captured = capsys.readouterr()
        return int(stop.value.code or 0), captured.out, captured.err

    settings = ("fine_tuning.iterations=10", "fine_tuning.count=2", "fine_tuning.structures=[A*]")
    settings += ("fine_tuning.starts=[untrained, average-2]",)
    assert run("build-zoo", str(tiny_file))[0] == 0
    status, out, _ = run("finetune", str(tiny_file), *settings)
    assert status == 0 and "A* 3^3" in out and "best" in out
    assert Path(out.rpartition("figures: ")[2].strip(), "fine-tuning.png").exists()
    study = open_study(str(tiny_file), [])
    source = tmp_path / "nets.safetensors"
    write_weights(source, study.task.layout("A*"), study.task.untrained("A*", 2, 0), study.task.file_metadata("A*"))
    status, out, _ = run("finetune", str(tiny_file), "--weights", str(source), "--iterations", "20")
    assert status == 0 and "2 networks of A* 3^3, 20 iterations" in out and "exact.js: median" in out
    assert len(list((tmp_path / "artifacts" / "fine_tuned").iterdir())) == 1
    for arguments, expected in [
        (("--iterations", "5"), "belong to --weights"),
        (("--weights", "nowhere.safetensors"), "nowhere.safetensors"),
        (("fine_tuning.starts=[generatd]",), "there is no start 'generatd'"),
        (("fine_tuning.structures=[Q]",), "unknown structure 'Q'"),
    ]:
        status, out, error = run("finetune", str(tiny_file), *arguments)
        assert status == 2 and out == "" and expected in error and error.count("\n") == 1, error


def test_shipped_configuration_reuses_the_papers_artifacts() -> None:
    paper, own = (
        open_study(str(ROOT / "configs" / "genflownet" / name), []) for name in ("paper.yaml", "finetune.yaml")
    )
    assert own.plan.digest == paper.plan.digest and own.generator_digest == paper.generator_digest
    assert own.reference_plan is not None and paper.reference_plan is not None
    assert own.reference_plan.digest == paper.reference_plan.digest
