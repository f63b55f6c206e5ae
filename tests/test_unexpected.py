"""What no room foresaw ends as one line, and with the whole traceback where it is asked for."""

import errno

import pytest

from zoogen import cli
from zoogen.unexpected import TRACEBACK_VARIABLE, fault_line, system_line


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def app(**options: object) -> None:
        raise error

    monkeypatch.setattr(cli, "app", app)


@pytest.mark.parametrize(
    ("error", "status", "expected"),
    [
        (RecursionError("maximum recursion depth exceeded"), 1, "unexpected RecursionError: maximum recursion"),
        (MemoryError(), 1, "not enough memory"),
        (OverflowError("int too large"), 1, "unexpected OverflowError: int too large"),
        (UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates"), 1, "unexpected UnicodeEncodeError"),
        (KeyError("x" * 10_000), 1, "unexpected KeyError: 'xxx"),
        (RuntimeError("http://u:secret@h"), 1, "http://u:***@h"),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), 2, "/x: No space left on device; make room"),
        (OSError("words"), 2, "words; check that"),
        (BrokenPipeError(), 2, "the reader of the output has gone"),
    ],
)
def test_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    status: int,
    expected: str,
) -> None:
    raising(monkeypatch, error)
    with pytest.raises(SystemExit) as stop:
        cli.main([])
    line = capsys.readouterr().err
    assert stop.value.code == status and line.count("\n") == 1 and len(line) < 500
    assert line.startswith("zoogen: ") and expected in line


def test_traceback_where_asked_for(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv(TRACEBACK_VARIABLE, "1")
    raising(monkeypatch, RuntimeError("at http://u:secret@h"))
    with pytest.raises(SystemExit) as stop:
        cli.main([])
    captured = capsys.readouterr().err
    assert stop.value.code == 1 and "Traceback" in captured and "http://u:***@h" in captured


def test_the_place_is_the_innermost_of_zoogen() -> None:
    with pytest.raises(AttributeError) as error:
        system_line("no error")  # type: ignore[arg-type]
    assert "(unexpected.py:" in fault_line(error.value)
