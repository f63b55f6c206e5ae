"""Every file in configs/ is valid, and its structures exist."""

from pathlib import Path

import pytest

from zoogen.benchmarks.run import load_benchmark
from zoogen.console import Console
from zoogen.pipelines.config import resolved_json
from zoogen.pipelines.context import Study
from zoogen.pipelines.open import open_study
from zoogen.sweeps.plan import load_sweep

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "configs").rglob("*.yaml"))
STUDIES = [path for path in FILES if path.parent.name not in ("benchmarks", "sweeps")]
SWEEPS = [path for path in FILES if path.parent.name == "sweeps"]
BENCHMARKS = [path for path in FILES if path.parent.name == "benchmarks"]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT / "configs"))


@pytest.mark.parametrize("path", STUDIES, ids=name)
def test_study(path: Path) -> None:
    study = open_study(str(path), [], Console())
    assert study.plan.cohorts and study.targets
    assert len({study.autoencoder_digest, study.generator_digest, study.evaluation_digest}) == 3


@pytest.mark.parametrize("path", STUDIES, ids=name)
def test_resolved_configuration_is_the_same_study(path: Path, tmp_path: Path) -> None:
    study = open_study(str(path), [])
    resolved = tmp_path / "resolved.yaml"
    resolved.write_text(resolved_json(study.config))
    again: Study = open_study(str(resolved), [])
    assert again.config == study.config
    assert again.evaluation_digest == study.evaluation_digest


def test_the_measured_study_keeps_its_artifacts() -> None:
    """New keys must not rename what was made without them."""
    study = open_study(str(ROOT / "configs" / "genflownet" / "known.yaml"), [])
    digests = (study.plan.digest, study.autoencoder_digest, study.generator_digest)
    assert digests == ("c7206b19464ec3c6", "91379eaf2883921a", "ff45a5b847f5600d")


@pytest.mark.parametrize("path", BENCHMARKS, ids=name)
def test_benchmark(path: Path) -> None:
    assert load_benchmark(path).kind


@pytest.mark.parametrize("path", SWEEPS, ids=name)
def test_sweep(path: Path) -> None:
    trials = load_sweep(path).trials
    assert len({trial.digest for trial in trials}) == len(trials) > 1


def test_the_ablations_learn_from_the_zoo_of_the_paper_study() -> None:
    paper, ablation = (
        open_study(str(ROOT / "configs" / "genflownet" / f"{n}.yaml"), []) for n in ("paper", "ablation")
    )
    assert ablation.plan.digest == paper.plan.digest


def test_studies_have_names_of_their_own() -> None:
    names = [open_study(str(path), []).config.study for path in STUDIES]
    names += [load_sweep(path).config.study for path in SWEEPS]
    assert len(set(names)) == len(names)
