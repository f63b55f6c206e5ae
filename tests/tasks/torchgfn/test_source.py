"""Environments of one's own go by their source into the names of cohorts; installed ones by their names alone."""

from pathlib import Path

import pytest

from zoogen.errors import ZoogenError
from zoogen.tasks.records import CohortSpec, RunSpec
from zoogen.tasks.torchgfn.config import TorchgfnConfig
from zoogen.tasks.torchgfn.environments import ALLOWED_VARIABLE
from zoogen.tasks.torchgfn.source import source_of
from zoogen.tasks.torchgfn.task import TorchgfnTask

OWN = "mine.grids:Grid"


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv(ALLOWED_VARIABLE, OWN)
    package = tmp_path / "mine"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "grids.py").write_text("import numpy\nfrom .numbers import HEIGHT\nimport beside\n\nclass Grid: ...\n")
    (package / "numbers.py").write_text("HEIGHT = 8\n")
    (tmp_path / "beside.py").write_text("")
    source_of.cache_clear()
    return tmp_path


def cohort(environment: str) -> CohortSpec:
    task = TorchgfnTask(TorchgfnConfig(environment=environment, structures={"a": {}}))
    return CohortSpec(task.resolved_for("a"), "a", (RunSpec(0, 1, 2),))


@pytest.mark.parametrize("path", ["mine/grids.py", "mine/numbers.py", "mine/__init__.py", "beside.py"])
def test_another_source_is_another_cohort(workplace: Path, path: str) -> None:
    before = cohort(OWN).digest
    assert cohort(OWN).digest == before
    file = workplace / path
    file.write_text(file.read_text() + "# more\n")
    source_of.cache_clear()  # as in another process
    assert cohort(OWN).digest != before


def test_installed_environments_are_told_by_their_names() -> None:
    assert source_of("gfn.gym.hypergrid:HyperGrid") is None and source_of("elsewhere:Grid") is None
    assert "source" not in cohort("gfn.gym.hypergrid:HyperGrid").task


def test_a_worker_with_another_source_refuses(workplace: Path) -> None:
    spec = cohort(OWN)
    (workplace / "mine/numbers.py").write_text("HEIGHT = 9\n")
    source_of.cache_clear()
    config = TorchgfnConfig(environment=OWN, structures={"a": {}})
    with pytest.raises(ZoogenError, match=f"source of environment {OWN} is .* but {str(spec.task['source'])[:16]} is"):
        TorchgfnTask(config).train_cohort(spec)
