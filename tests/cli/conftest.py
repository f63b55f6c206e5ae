"""Calls of the command line that are to fail in one line."""

from pathlib import Path
from typing import Protocol

import pytest

from zoogen.cli import main


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
            assert all(said.startswith(("zoo: ", "evaluation: ")) for said in told), captured.err
        else:
            assert not told, captured.err
            assert sorted(tmp_path.rglob("*")) == before, "something was left behind"
        return line

    return run
