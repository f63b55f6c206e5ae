"""Studies without an autoencoder, and further models beside a study's own."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.studies import TINY, MakeStudy

from zoogen.cli import main
from zoogen.config import parse_config
from zoogen.errors import ZoogenError
from zoogen.pipelines import stages
from zoogen.pipelines.config import PipelineConfig
from zoogen.pipelines.stored import load_generator, stored_autoencoder

LOOP = {"iterations": 6, "batch_size": 2, "log_every": 2}
SOURCE: dict[str, Any] = {"kind": "source", "pool": 64, "states": 16, "width": 8, "blocks": 1, "loop": LOOP}
EXACT = {**SOURCE, "teacher": "exact"}


def without_autoencoder(**changes: Any) -> dict[str, Any]:
    """The tiny study with a generator that needs no autoencoder."""
    return {"autoencoder": None, "generator": SOURCE, **changes}


def test_a_study_without_an_autoencoder_runs_as_any_other(
    make_study: MakeStudy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = stages.pipeline(make_study(**without_autoencoder()))
    said = capsys.readouterr().err
    assert "autoencoder: none, as generator.kind source works on weights themselves" in said
    assert not (tmp_path / "artifacts" / "autoencoders").exists()
    evaluation = result.evaluation
    assert evaluation.inputs.autoencoder == "" and "autoencoder" not in evaluation.cost
    methods = {r.method for r in evaluation.results}
    assert "generated" in methods and not methods & {"reconstructed", "kde-0.1", "prior"}
    assert {r.structure for r in evaluation.results if r.method == "generated"} == {
        "16,8,2,4", "9,3,3,3", "4,2,2,2",
    }  # fmt: skip
    again = stages.pipeline(make_study(**without_autoencoder()))
    assert again.reused and again.evaluation == evaluation


def test_further_models_are_methods_on_every_structure(make_study: MakeStudy, tmp_path: Path) -> None:
    """One that equals the study's own gives the same numbers; another has its own artifacts."""
    twin = {"autoencoder": TINY["autoencoder"], "generator": TINY["generator"]}
    others = {"twin": twin, "optimal": {"generator": EXACT}}
    study = make_study(others=others)
    result = stages.pipeline(study).evaluation
    assert len(list((tmp_path / "artifacts" / "generators").iterdir())) == 2
    for structure in ("16,8,2,4", "9,3,3,3", "4,2,2,2"):
        own, same, other = (result.result(structure, method) for method in ("generated", "twin", "optimal"))
        assert own is not None and same is not None and other is not None
        assert own.metrics == same.metrics and own.figures == same.figures
        assert other.metrics[other.primary] != own.metrics[own.primary]
        assert other.figures.keys() == own.figures.keys() and other.count == own.count
    assert result.inputs.others == {model.name: model.generator_digest for model in study.others}
    assert {"twin/autoencoder", "twin/generator", "optimal/generator"} <= result.cost.keys()

    plain = make_study()
    assert plain.generator_digest == study.generator_digest
    assert plain.evaluation_digest != study.evaluation_digest
    sampled = {**twin, "generator": {**TINY["generator"], "sampler": {"steps": 2}}}  # type: ignore[dict-item]
    drawn = make_study(others={**others, "twin": sampled})
    assert drawn.others[0].generator_digest == study.others[0].generator_digest
    assert drawn.evaluation_digest != study.evaluation_digest


def test_a_flow_is_drawn_from_by_its_own_solvers(make_study: MakeStudy) -> None:
    field = {"kind": "mlp", "width": 8, "hidden": 8, "blocks": 1, "embedding": 4}
    flow = {"autoencoder": TINY["autoencoder"], "generator": {"kind": "flow", "field": field, "loop": LOOP}}
    study = make_study(**flow)
    result = stages.pipeline(study).evaluation
    found = [r for r in result.results if r.method == "generated"]
    assert len(found) == 3 and all(r.count == len(r.metrics[r.primary]) > 0 for r in found)
    coarse = make_study(**{**flow, "generator": {**flow["generator"], "sampler": {"kind": "midpoint", "steps": 2}}})
    assert coarse.generator_digest == study.generator_digest
    again = stages.pipeline(coarse)
    assert not again.reused
    assert again.evaluation.results[0].metrics != result.results[0].metrics


def test_a_missing_further_model_is_one_line(make_study: MakeStudy) -> None:
    study = make_study(others={"optimal": {"generator": EXACT}})
    for stage in (stages.build_zoo, stages.train_autoencoder, stages.train_generator):
        stage(study)
    with pytest.raises(ZoogenError, match="there is no generator of this configuration .* `zoogen train-generator"):
        stages.evaluate(study)


def test_the_commands_train_all_models(tiny_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = json.loads(tiny_file.read_text())
    study |= {**without_autoencoder(), "others": {"second": {"autoencoder": TINY["autoencoder"]}}}
    study["others"]["second"]["generator"] = TINY["generator"]
    tiny_file.write_text(json.dumps(study))
    for command in ("build-zoo", "train-autoencoder", "train-generator"):
        with pytest.raises(SystemExit) as stop:
            main([command, str(tiny_file)])
        assert stop.value.code == 0
    said = capsys.readouterr().err.splitlines()
    assert any(line.startswith("autoencoder: none") for line in said)
    for title in ("autoencoder second", "generator", "generator second"):
        assert any(line.startswith(f"{title}: ") and line.endswith(".safetensors") for line in said), title


def test_an_exact_teacher_needs_no_zoo(make_study: MakeStudy) -> None:
    study = make_study(**without_autoencoder(generator={**EXACT, "structures": ["2^2", "4^2", "E*"]}))
    made = stages.train_generator(study)
    assert list(made.generator.structures) == ["4,2,2,2", "8,4,2,2.82843"]
    other = make_study(**without_autoencoder(generator=EXACT), zoo={**TINY["zoo"], "runs": 4})  # type: ignore[dict-item]
    more = make_study(**without_autoencoder(generator=EXACT), zoo={**TINY["zoo"], "runs": 6})  # type: ignore[dict-item]
    assert other.generator_digest == more.generator_digest != study.generator_digest
    zoo = [make_study(**without_autoencoder(), best_runs=share) for share in (1.0, 0.5)]
    assert zoo[0].generator_digest != zoo[1].generator_digest
    with pytest.raises(ZoogenError, match="incomplete"):
        stages.train_generator(zoo[0])


def test_a_generator_that_was_damaged_is_made_again(make_study: MakeStudy, tmp_path: Path) -> None:
    study = make_study(**without_autoencoder(generator=EXACT))
    first = stages.train_generator(study)
    (path,) = (tmp_path / "artifacts" / "generators").iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ZoogenError, match="is damaged"):
        load_generator(study)
    again = stages.train_generator(study)
    assert not again.reused and again.digest == first.digest
    assert stored_autoencoder(make_study()).value is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"generator": SOURCE, "autoencoder": {"latent": 8}}, "works on weights themselves; set autoencoder to null"),
        ({"autoencoder": None}, "generator.kind diffusion draws latents, and autoencoder is null; set it"),
        ({"others": {"x": {"generator": SOURCE, "autoencoder": {"latent": 8}}}}, "set autoencoder to null"),
        (
            {"others": {"generated": {"generator": SOURCE}}},
            "is a method of the evaluation; give the model another name",
        ),
        ({"others": {"conventional-9": {"generator": SOURCE}}}, "is a method of the evaluation"),
        ({"others": {"truth": {"generator": SOURCE}}}, "is a method of the evaluation"),
        ({"others": {"a/b": {"generator": SOURCE}}}, "others.a/b"),
        ({"generator": {**SOURCE, "states": 99}}, "states 99 of an iteration are more than the pool of 64"),
    ],
)
def test_models_that_do_not_fit_are_one_line(changes: dict[str, Any], message: str) -> None:
    plain = {name: value for name, value in TINY.items() if name not in ("autoencoder", "generator")}
    with pytest.raises(ZoogenError, match=message) as error:
        parse_config(PipelineConfig, {**plain, **changes}, "tiny.yaml")
    assert "\n" not in str(error.value)


def test_the_autoencoder_is_left_out_by_itself() -> None:
    plain = {name: value for name, value in TINY.items() if name != "autoencoder"}
    config = parse_config(PipelineConfig, {**plain, "generator": SOURCE}, "tiny.yaml")
    assert config.autoencoder is None
    assert PipelineConfig.model_validate_json(config.model_dump_json()) == config
    assert "others" not in config.model_dump(mode="json")
