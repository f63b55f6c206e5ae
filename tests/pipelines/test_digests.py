"""Studies keep the names of their artifacts: what was made is found again, and a new option changes nothing old."""

import json
from pathlib import Path

import pytest

from zoogen.pipelines.open import open_study

CONFIGS = Path(__file__).parents[2] / "configs"
STORED: dict[str, list[str]] = json.loads((Path(__file__).parent / "digests.json").read_text())


@pytest.mark.parametrize("name", STORED)
def test_zoo_autoencoder_generator_and_evaluation_are_named_as_ever(name: str) -> None:
    """Changed on purpose only: where a `FORMAT` is raised, or a configuration file is edited."""
    study = open_study(str(CONFIGS / name), [])
    model = study.models[0]
    named = [study.plan.digest, model.autoencoder_digest, study.generator_digest, study.evaluation_digest]
    assert named == STORED[name]
