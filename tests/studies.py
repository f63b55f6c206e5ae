"""A study that takes seconds, as fixtures: two small grids of the paper, real training, without Ray and MLflow."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from zoogen.console import Console
from zoogen.pipelines.config import PipelineConfig
from zoogen.pipelines.context import Study

TINY = {
    "study": "tiny",
    "task": {"training": {"iterations": 60, "batch_size": 8, "checkpoints": 3}, "judge": {"samples": 100}},
    "zoo": {"structures": ["F*", "A*"], "runs": 3, "validation_runs": 1, "test_runs": 2, "cohort": 3},
    "autoencoder": {"latent": 8, "channels": [4, 8], "loop": {"iterations": 6, "batch_size": 4, "log_every": 2}},
    "generator": {
        "denoiser": {"channels": [4, 8], "embedding": 8},
        "loop": {"iterations": 6, "batch_size": 4, "log_every": 2},
        "sampler": {"steps": 3},
    },
    "evaluation": {"count": 3, "structures": ["E*"]},
    "ray": None,
    "tracking": {"kind": "none"},
}

MakeStudy = Callable[..., Study]


@pytest.fixture
def make_study(tmp_path: Path) -> MakeStudy:
    """Study under tmp_path/artifacts; keyword arguments replace top-level sections."""

    def make(**changes: object) -> Study:
        mapping = {"artifacts": str(tmp_path / "artifacts"), **TINY, **changes}
        return Study(PipelineConfig.model_validate(mapping), Console(), "tiny.yaml")

    return make


@pytest.fixture
def tiny_file(tmp_path: Path) -> Path:
    """The same study as a configuration file."""
    path = tmp_path / "tiny.yaml"
    path.write_text(json.dumps({"artifacts": str(tmp_path / "artifacts"), **TINY}))  # JSON is YAML
    return path
