"""Sweeps of studies without an autoencoder and with further models: every model is trained once, and told apart."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console as RichConsole
from tests.studies import TINY

from zoogen.console import Console
from zoogen.errors import ZoogenError
from zoogen.orchestration.cluster import connect
from zoogen.sweeps.plan import load_sweep
from zoogen.sweeps.run import sweep

LOOP = {"iterations": 6, "batch_size": 2, "log_every": 2}
SOURCE = {"kind": "source", "pool": 64, "states": 16, "styles": 4, "width": 8, "blocks": 1, "loop": LOOP}
EXACT = {"generator": {**SOURCE, "teacher": "exact"}}
LIGHT = {"methods": ["generated", "held-out"], "portraits": [], "audit": {"matched": False, "behaviour": False}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the sweep's file belongs, the study beside it."""
    study: dict[str, Any] = {**TINY, "generator": SOURCE, "autoencoder": None, "ray": {}}
    study["evaluation"] = {**study["evaluation"], **LIGHT}
    (tmp_path / "tiny.yaml").write_text(json.dumps(study))
    return tmp_path / "sweep.yaml"


def written(path: Path, **keys: Any) -> Path:
    overrides = {"artifacts": str(path.parent / "artifacts")}
    path.write_text(json.dumps({"study": "tiny-sweep", "base": "tiny.yaml", "overrides": overrides, **keys}))
    return path


def test_trials_with_and_without_autoencoder_share_what_they_have_in_common(path: Path) -> None:
    points = [
        {"name": "alone"},
        {"name": "beside", "others": {"exact": EXACT}},
        {"name": "exact", "generator.teacher": "exact"},
        {"name": "padded", "autoencoder": TINY["autoencoder"], "generator": {**TINY["generator"], "kind": "diffusion"}},  # type: ignore[dict-item]
    ]
    console = Console(*(RichConsole(file=io.StringIO(), width=200) for _ in range(2)))
    with connect(num_cpus=2):
        outcome = sweep(load_sweep(written(path, points=points)), console)
    trials = {trial.name: trial for trial in outcome.result.trials}
    assert not outcome.result.failed and list(trials) == [point["name"] for point in points]
    generators = {name: trial.artifacts["generator"] for name, trial in trials.items()}
    assert generators["alone"] == generators["beside"] and len(set(generators.values())) == 3
    assert {path.stem for path in (path.parent / "artifacts" / "generators").iterdir()} == set(generators.values())
    assert "autoencoder" not in trials["alone"].artifacts and "autoencoder" in trials["padded"].artifacts
    beside = trials["beside"]
    assert beside.artifacts["generator exact"] == generators["exact"]
    assert beside.cost["exact/generator"] == trials["exact"].cost["generator"]
    for label in ("F* 8^2", "A* 3^3", "E* 2^2"):
        other = trials["exact"].metrics[f"{label}/generated/exact.js"]
        assert beside.metrics[f"{label}/exact/exact.js"] == other
        assert beside.metrics[f"{label}/generated/exact.js"] == trials["alone"].metrics[f"{label}/generated/exact.js"]


def test_a_stage_that_a_trial_does_not_have_is_one_line(path: Path) -> None:
    points = [{"name": "alone"}]
    with pytest.raises(ZoogenError, match="trial 'alone': it has no autoencoder to train; set stage"):
        load_sweep(written(path, points=points, stage="train_autoencoder"))
