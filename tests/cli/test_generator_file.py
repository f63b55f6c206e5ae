"""`zoogen generate --generator FILE` on the command line."""

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.generators.source.grids import TASK, TAUGHT, source_config

from zoogen.cli import main
from zoogen.generators.source.train import train_source_generator


@pytest.fixture
def generator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("given.safetensors").write_bytes(
        train_source_generator(source_config(2), TASK, TAUGHT, seed=0, digest="abc").to_bytes()
    )
    return "given.safetensors"


def test_it_needs_no_configuration(generator: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["generate", "--generator", generator, "--structure", "6^3", "--count", "2", "--out", "nets.safetensors"])
    assert stop.value.code == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("6^3: 2 networks, seed 0, ")
    assert captured.err.splitlines() == ["notice: 6^3: h = 6 lies beyond the 3 taught for n = 3"]
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "--weights", "nets.safetensors"])
    assert stop.value.code == 0 and "2 networks of 6^3" in capsys.readouterr().out
    assert sorted(path.name for path in Path().iterdir()) == ["given.safetensors", "nets.safetensors"]


def test_a_dry_run_names_the_file(generator: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["generate", "--generator", generator, "--dry-run"])
    assert json.loads(capsys.readouterr().out) == {"generator": generator}


def test_what_does_not_go_together_is_one_line(failing: Run, generator: str) -> None:
    assert "not both" in failing("generate", "study.yaml", "--generator", generator, "--structure", "E*")
    assert "not both" in failing("generate", "seed=1", "--generator", generator, "--structure", "E*")
    assert "needs --structure" in failing("generate", "--generator", generator)
    assert "give CONFIG, or --generator FILE" in failing("generate", "--structure", "E*")
    assert "nowhere.safetensors: cannot read it: No such file" in failing(
        "generate", "--generator", "nowhere.safetensors", "--structure", "E*"
    )
