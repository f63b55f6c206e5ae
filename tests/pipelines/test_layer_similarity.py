"""The stage `similarity` on a study that takes seconds."""

import json
from pathlib import Path

import pytest
from tests.studies import TINY, MakeStudy

from zoogen.cli import main
from zoogen.errors import ZoogenError
from zoogen.pipelines import stages
from zoogen.pipelines.layer_similarity import similarity

VISION = {
    "resnets": [{"depths": [1], "widths": [4]}, {"depths": [2], "widths": [4]}],
    "transformers": [{"width": 8, "layers": 1, "heads": 1}, {"width": 8, "layers": 1, "heads": 2}],
    "loop": {"iterations": 2, "batch_size": 8},
}
SECTION = {"inputs": 40, "vision": VISION}
REFERENCE = {"structures": ["E*", "4^2"], "runs": 2, "validation_runs": 0, "test_runs": 0, "cohort": 2}
STUDY = {"similarity": SECTION, "reference": REFERENCE}


def test_zoos_are_compared_then_generated_networks_too(make_study: MakeStudy, tmp_path: Path) -> None:
    stages.build_zoo(make_study(**STUDY))
    first = similarity(make_study(**STUDY))
    names = [(pair.group, pair.first, pair.second) for pair in first.similarity.pairs if "vision" not in pair.group]
    assert names == [
        ("policies", "F* 8^2 trained", "A* 3^3 trained"),
        ("policies", "E* 2^2 trained", "4^2 trained"),
        ("same structure", "F* 8^2 trained", "F* 8^2 trained, other runs"),
        ("untrained policies", "F* 8^2 untrained", "A* 3^3 untrained"),
        ("untrained policies", "E* 2^2 untrained", "4^2 untrained"),
    ]
    assert {pair.networks for pair in first.similarity.of("policies")} == {2}
    assert {path.name for path in first.report} == {"report.html", "similarity.md", "parameters.md", "similarity.png"}
    again = similarity(make_study(**STUDY))
    assert again.reused and again.similarity == first.similarity

    study = make_study(**STUDY)
    stages.train_autoencoder(study)
    stages.train_generator(study)
    more = similarity(make_study(**STUDY))
    assert not more.reused and more.digest != first.digest
    generated = [pair.name for pair in more.similarity.of("same structure")]
    assert generated[0] == "F* 8^2 generated vs F* 8^2 trained"
    assert more.similarity.of("policies") == first.similarity.of("policies")
    assert len(list((tmp_path / "artifacts" / "similarities").iterdir())) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"zoo": {**TINY["zoo"], "structures": ["F*"]}, "similarity": SECTION},
        {"reference": REFERENCE, "similarity": {**SECTION, "pairs": [["E*", "4^2"]]}},
    ],
    ids=["a zoo of one structure", "unseen pairs alone"],
)
def test_the_zoos_first_structure_is_generated_where_no_pair_has_a_known_one(
    make_study: MakeStudy, changes: dict[str, object]
) -> None:
    study = make_study(**changes)
    for stage in (stages.build_zoo, stages.train_autoencoder, stages.train_generator):
        stage(study)
    found = similarity(study).similarity.of("same structure")
    assert [pair.name for pair in found] == [
        "F* 8^2 generated vs F* 8^2 trained",
        "F* 8^2 trained vs F* 8^2 trained, other runs",
    ]


def test_what_lacks_is_named(make_study: MakeStudy) -> None:
    with pytest.raises(ZoogenError, match="incomplete"):
        similarity(make_study(**STUDY))
    pairs = {"similarity": {**SECTION, "pairs": [["A*", "D*"]]}}
    stages.build_zoo(make_study())
    with pytest.raises(ZoogenError, match=r"trained networks of D\* .* add it to zoo.structures or reference"):
        similarity(make_study(**pairs))
    with pytest.raises(ZoogenError, match="structure"):
        similarity(make_study(similarity={"pairs": [["A*", "no such"]]}))


def test_command_prints_the_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "tiny.yaml"
    config.write_text(json.dumps({"artifacts": str(tmp_path / "artifacts"), **TINY, "similarity": SECTION}))
    with pytest.raises(SystemExit) as stop:
        main(["build-zoo", str(config)])
    with pytest.raises(SystemExit) as stop:
        main(["similarity", str(config)])
    assert stop.value.code == 0
    said = capsys.readouterr().out
    assert '"similar on average"' in said
    assert Path(said.rpartition("figures: ")[2].strip(), "similarity.png").exists()
    with pytest.raises(SystemExit) as stop:
        main(["similarity", str(config), "similarity.inputz=3"])
    assert stop.value.code == 2 and "did you mean inputs" in capsys.readouterr().err
