import json
import re
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from tests.studies import TINY, MakeStudy

from zoogen.errors import ZoogenError
from zoogen.evaluation.records import record_bytes
from zoogen.evaluation.result import Evaluation
from zoogen.pipelines import stages
from zoogen.pipelines.generating import generate
from zoogen.pipelines.report import DRAWN
from zoogen.pipelines.weight_files import judge_file
from zoogen.tasks.hypergrid.config import HypergridConfig
from zoogen.tasks.hypergrid.task import HypergridTask
from zoogen.weights.files import write_weights

FOLDERS = ("zoo/parts", "autoencoders", "generators", "evaluations")


def files(folder: Path) -> dict[str, tuple[int, int]]:
    """Path to identity and time of last change."""
    return {
        str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and "reports" not in path.parts
    }


def test_pipeline_makes_every_artifact_and_the_second_time_nothing(
    make_study: MakeStudy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = make_study()
    result = stages.pipeline(study)
    made = files(tmp_path / "artifacts")
    assert sorted(name.split("/")[0] for name in made if not name.startswith(("zoo/", "evaluations/parts/"))) == [
        "autoencoders",
        "evaluations",
        "generators",
        "zoogen.json",
    ]
    assert len([name for name in made if name.startswith("zoo/parts/")]) == len(study.plan.cohorts) == 4
    assert not result.reused and all(path.stat().st_size for path in result.report)
    capsys.readouterr()

    again = stages.pipeline(make_study())
    assert again.reused and again.evaluation == result.evaluation
    assert files(tmp_path / "artifacts") == made
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 4 and all("reused" in line for line in said)


def test_a_study_whose_autoencoder_reads_tokens_writes_structures_that_it_never_announced(
    make_study: MakeStudy, tmp_path: Path
) -> None:
    """Taught by weights and behaviour; no structure has a say in the autoencoder's digest but through the zoo."""
    loop = {"iterations": 6, "batch_size": 4, "log_every": 2}
    tokens = {"kind": "tokens", "latent": 8, "width": 16, "blocks": 1, "loss": {"behaviour": 0.5, "pool": 64}}
    tokens["loop"] = {**loop, "schedule": {"warmup": 0}}
    study = make_study(autoencoder=tokens)
    result = stages.pipeline(study)
    assert {"generated", "reconstructed"} <= {found.method for found in result.evaluation.results}
    assert study.autoencoder_digest == make_study(autoencoder=tokens, evaluation={"count": 2}).autoencoder_digest
    generator = stages.load_generator(study)
    target = study.task.target("5^3")
    made = generator.generate(target, 4, seed=0)
    assert made.shape == (4, target.layout.size) and len(made.unique(dim=0)) == 4


def test_a_changed_option_makes_new_artifacts_from_there_on(make_study: MakeStudy, tmp_path: Path) -> None:
    stages.pipeline(make_study())
    before = files(tmp_path / "artifacts")
    result = stages.pipeline(make_study(seed=1))
    after = files(tmp_path / "artifacts")
    new = sorted(name.split("/")[0] for name in after.keys() - before.keys() if "/parts/" not in name)
    assert new == ["autoencoders", "evaluations", "generators"] and not result.reused
    assert before.items() <= after.items()


def test_more_runs_reuse_the_full_cohorts(make_study: MakeStudy) -> None:
    first = stages.build_zoo(make_study())
    more = stages.build_zoo(make_study(zoo={**TINY["zoo"], "runs": 6}))  # type: ignore[dict-item]
    assert [report.reused for report in first.reports] == [0]
    assert [(report.reused, len(report.parts)) for report in more.reports] == [(4, 2)]


def test_what_only_says_where_and_how_fast_names_no_artifact(make_study: MakeStudy) -> None:
    study, same = (
        make_study(),
        make_study(device="cpu", compile=True, artifacts="elsewhere", pool={"workers": 2}, ray={}),
    )
    assert study.autoencoder_digest == same.autoencoder_digest
    assert study.generator_digest == same.generator_digest
    assert study.evaluation_digest == same.evaluation_digest


def test_a_sampler_needs_no_new_generator_but_a_new_evaluation(make_study: MakeStudy) -> None:
    study = make_study()
    other = make_study(generator={**TINY["generator"], "sampler": {"kind": "ddpm", "steps": 4}})  # type: ignore[dict-item]
    assert study.generator_digest == other.generator_digest
    assert study.evaluation_digest != other.evaluation_digest


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 5},
        {"last_checkpoints": 2},
        {"zoo": {**TINY["zoo"], "runs": 4}},  # type: ignore[dict-item]
        {"task": {**TINY["task"], "stop_rule": "forced_at_edge"}},  # type: ignore[dict-item]
        {"autoencoder": {**TINY["autoencoder"], "latent": 9}},  # type: ignore[dict-item]
        {"evaluation": {"count": 3, "structures": ["C*"]}},  # longer: `length: auto` makes room for it
    ],
)
def test_what_decides_the_content_names_the_artifacts(make_study: MakeStudy, change: dict) -> None:
    study, other = make_study(), make_study(**change)
    assert study.autoencoder_digest != other.autoencoder_digest
    assert study.generator_digest != other.generator_digest
    assert study.evaluation_digest != other.evaluation_digest


def test_same_seed_same_bits(make_study: MakeStudy, tmp_path: Path) -> None:
    results = [stages.pipeline(make_study(artifacts=str(tmp_path / name))).evaluation for name in ("a", "b")]
    first, second = ({(r.structure, r.method): r.metrics for r in result.results} for result in results)
    assert first == second


def test_stages_alone_ask_for_what_they_need(make_study: MakeStudy, tmp_path: Path) -> None:
    for stage, missing in [
        (stages.train_autoencoder, "zoogen build-zoo"),
        (stages.train_generator, "zoogen train-autoencoder tiny.yaml"),
        (stages.evaluate, "zoogen train-generator tiny.yaml"),
    ]:
        with pytest.raises(ZoogenError, match=missing):
            stage(make_study())
    assert not (tmp_path / "artifacts").exists()


def test_fewer_checkpoints_than_asked_for(make_study: MakeStudy) -> None:
    stages.build_zoo(make_study())
    with pytest.raises(ZoogenError, match="ask for 1 to 3 or train with more checkpoints"):
        stages.train_autoencoder(make_study(last_checkpoints=4))


def test_damaged_artifacts_are_named_and_made_again(
    make_study: MakeStudy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = stages.pipeline(make_study())
    capsys.readouterr()
    paths = [path for folder in FOLDERS for path in (tmp_path / "artifacts" / folder).rglob("*.*") if path.is_file()]
    whole = {path: path.read_bytes() for path in paths}
    for path in paths:
        path.write_bytes(whole[path][: len(whole[path]) // 2])
    again = stages.pipeline(make_study())
    said = capsys.readouterr().err.replace("\n", " ")
    for path in paths:
        name = re.escape(str(path.relative_to(tmp_path / "artifacts")))
        assert re.search(rf"notice: \S*{name} is damaged \([^)]*\)+ and is made again", said), path
    assert [found.metrics for found in again.evaluation.results] == [m.metrics for m in first.evaluation.results]
    assert stages.pipeline(make_study()).reused


def test_reference_zoo_of_unseen_structures(make_study: MakeStudy) -> None:
    reference = {"structures": ["E*"], "runs": 2, "validation_runs": 0, "test_runs": 0}
    evaluation = stages.pipeline(make_study(reference=reference)).evaluation
    found = evaluation.result("E* 2^2", "reference")
    assert found is not None and not found.known and found.count == 3
    assert Evaluation.from_json(evaluation.to_json()) == evaluation


def test_remote_root_holds_everything(make_study: MakeStudy) -> None:
    study = make_study(artifacts="memory://stages")
    result = stages.pipeline(study)
    reports = study.store.list(f"reports/tiny-{study.evaluation_digest}")
    assert sorted(Path(key).name for key in reports) == sorted([DRAWN, *(path.name for path in result.report)])
    key = f"evaluations/{study.evaluation_digest}.json"
    assert study.store.get(key) == record_bytes(result.evaluation, key)


def test_generated_files_have_the_published_form(make_study: MakeStudy, tmp_path: Path) -> None:
    stages.pipeline(make_study())
    study = make_study()
    out = tmp_path / "nets.safetensors"
    (file,) = generate(study, "8^2", 5, 7, str(out))
    assert (file.structure, file.count, file.path) == ("16,8,2,4", 5, out)
    with safe_open(out, "pt") as opened:
        shapes = {name: opened.get_slice(name).get_shape() for name in opened.keys()}  # noqa: SIM118
        metadata = opened.metadata()
    assert shapes == {
        "dense1.weight": [5, 32, 16],
        "dense1.bias": [5, 32],
        "dense2.weight": [5, 32, 32],
        "dense2.bias": [5, 32],
        "dense3.weight": [5, 3, 32],
        "dense3.bias": [5, 3],
    }
    assert metadata["generator"] == study.generator_digest and metadata["seed"] == "7"
    assert metadata["structure"] == "16,8,2,4" and metadata["activation"] == "leaky_relu"
    first = out.read_bytes()
    generate(study, "F*", 5, 7, str(out))
    assert out.read_bytes() == first, "the same seed writes the same file"
    generate(study, "F*", 5, 8, str(out))
    assert out.read_bytes() != first


def test_without_a_structure_all_of_the_study_are_generated(make_study: MakeStudy, tmp_path: Path) -> None:
    stages.pipeline(make_study())
    made = generate(make_study(), None, 2, 0, None)
    assert [file.label for file in made] == ["F* 8^2", "A* 3^3", "E* 2^2"]
    assert all(file.path.is_relative_to(tmp_path / "artifacts" / "generated") for file in made)


def test_judging_a_file_from_elsewhere(tmp_path: Path) -> None:
    task = HypergridTask(HypergridConfig())
    weights = task.untrained("8^2", 4, seed=3)
    path = tmp_path / "nets.safetensors"
    write_weights(path, task.layout("8^2"), weights, {})  # no metadata: the shapes tell
    judgement = judge_file(str(path))
    assert (judgement["structure"], judgement["count"]) == ("16,8,2,4", 4)
    expected = task.score("8^2", weights).metric("exact.js").tolist()
    assert judgement["exact"]["js"] == pytest.approx(expected)
    assert {"js", "kl", "tv"} <= judgement["exact"].keys()
    assert len(judgement["sampled"]["floors"]) == 2
    assert judgement["summary"]["exact.js"]["median"] == pytest.approx(torch.tensor(expected).quantile(0.5).item())
    json.dumps(judgement, allow_nan=False)


def test_file_is_judged_by_the_task_it_was_made_for(make_study: MakeStudy, tmp_path: Path) -> None:
    study = make_study(task={**TINY["task"], "stop_rule": "forced_at_edge"})  # type: ignore[dict-item]
    stages.pipeline(study)
    out = tmp_path / "nets.safetensors"
    generate(study, "E*", 3, 0, str(out))
    alone, by_study = judge_file(str(out)), judge_file(str(out), study.task)
    assert alone["exact"] == by_study["exact"]
    assert alone["exact"] != judge_file(str(out), make_study().task)["exact"]


def test_aligned_runs_are_what_models_learn_from_and_are_compared_with(
    make_study: MakeStudy, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, study = make_study(), make_study(align="weights", zoo={**TINY["zoo"], "initialisation": "independent"})  # type: ignore[dict-item]
    raw = make_study(zoo={**TINY["zoo"], "initialisation": "independent"})  # type: ignore[dict-item]
    assert make_study(align="none").autoencoder_digest == plain.autoencoder_digest
    assert len({item.autoencoder_digest for item in (plain, raw, study)}) == 3
    assert len({item.plan.digest for item in (raw, study)}) == 1, "the zoo is the same"
    stages.build_zoo(study)
    capsys.readouterr()
    before, after = raw.checkpoints("train"), study.checkpoints("train")
    said = capsys.readouterr().err
    assert said.count("alignment: ") == 2 and "3 runs aligned, distance of a run from their mean" in said
    for mine, theirs in zip(after, before, strict=True):
        scores = [study.task.score(mine.target.structure, rows.weights) for rows in (mine, theirs)]
        torch.testing.assert_close(scores[0].flat(), scores[1].flat(), rtol=1e-4, atol=1e-6)
        spread = [rows.last().weights.std(0).square().sum() for rows in (mine, theirs)]
        assert spread[0] < spread[1]
    name = after[0].target.structure
    assert raw.alignment_cost(name) == {} and 0 < study.alignment_cost(name)["alignment"] < 60
    zoo = study.learnt()
    assert torch.equal(zoo.select(name, "train").weights, after[0].weights)
    held_out, unmoved = zoo.select(name, "test").weights, study.zoo.select(name, "test").weights
    assert not torch.equal(held_out, unmoved) and torch.equal(held_out.sort(1).values, unmoved.sort(1).values)
