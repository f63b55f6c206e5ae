"""Calls of the command line that are to fail in one line, and a tiny study of classifiers."""

from pathlib import Path
from typing import Protocol

import pytest

from zoogen.cli import main

IMAGES = """
study: bad-images
artifacts: {root}
task:
  kind: images
  data: {{limit: 60}}
  training: {{iterations: 3, batch_size: 8}}
  collection: {{iterations: 4, batch_size: 8}}
zoo: {{structures: [cnn-small@digits], runs: 1, validation_runs: 0, test_runs: 0}}
autoencoder: {{kind: linear, latent: 2}}
generator:
  kind: diffusion
  denoiser: {{kind: mlp}}
  loop: {{iterations: 2, batch_size: 4}}
  sampler: {{steps: 2}}
evaluation: {{count: 2, methods: [generated]}}
ray: null
tracking: {{kind: none}}
"""


class Run(Protocol):
    """The line on standard error with which a command ends.

    A command that has `begun` may have told of its progress and left its plan; others say and leave nothing.
    """

    def __call__(self, *arguments: str, status: int = 2, begun: bool = False) -> str: ...


@pytest.fixture
def failing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    def run(*arguments: str, status: int = 2, begun: bool = False) -> str:
        before = sorted(tmp_path.rglob("*"))
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        captured = capsys.readouterr()
        assert stop.value.code == status
        assert captured.out == ""
        *told, line = captured.err.splitlines(keepends=True)
        assert line.startswith("zoogen: ") and line.endswith("\n"), captured.err
        assert "Traceback" not in captured.err
        if begun:
            assert all(said.startswith(("zoo: ", "evaluation: ", "notice: ", "cannot read ")) for said in told), (
                captured.err
            )
        else:
            assert not told, captured.err
            assert sorted(tmp_path.rglob("*")) == before, "something was left behind"
        return line

    return run


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "study.yaml"
    path.write_text(IMAGES.format(root=tmp_path / "artifacts"))
    return str(path)


def done(*arguments: str) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 0
