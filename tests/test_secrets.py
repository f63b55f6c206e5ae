"""Passwords of URIs are hidden, whatever they hold, and nothing else is."""

import io
import sys
import time

import pytest

from zoogen.console import Console
from zoogen.secrets import MaskedStream, mask_output, masked, masked_output, masked_settings


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql+psycopg2://u:secret@host:5432/db", "postgresql+psycopg2://u:***@host:5432/db"),
        ("mysql://u:sec/r@et@host/db", "mysql://u:***@host/db"),
        ("http://:secret@host", "http://:***@host"),
        ("mssql://h/db?driver=x&password=secret&a=1", "mssql://h/db?driver=x&password=***&a=1"),
        ("no http://u:secret@h: refused, ask a@b", "no http://u:***@h: refused, ask a@b"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("s3://bucket/x", "s3://bucket/x"),
        ("A*: a@b", "A*: a@b"),
        ("s3://AKEY:sec/ret@bucket/x", "s3://***:***@bucket/x"),
        ("https://ghp_token@host/x", "https://***@host/x"),
        ("abfss://container@account.dfs.core.windows.net/x", "abfss://container@account.dfs.core.windows.net/x"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ('{"artifacts": "s3://K:S@b", "mail": "a@b"}', '{"artifacts": "s3://***:***@b", "mail": "a@b"}'),
        (
            "s3://b/x?region=eu&secret_access_key=S&access_key_id=K",
            "s3://b/x?region=eu&secret_access_key=***&access_key_id=***",
        ),
        (
            "https://h/x?X-Amz-Signature=s&X-Amz-Credential=c&a=1",
            "https://h/x?X-Amz-Signature=***&X-Amz-Credential=***&a=1",
        ),
        ("az://c/x?sv=1&sig=abc%3D", "az://c/x?sv=1&sig=***"),
        ("fe_sendauth: host=h password=hunter2 dbname=d", "fe_sendauth: host=h password=*** dbname=d"),
        ("{'aws_secret_access_key': 'S', 'region': 'x'}", "{'aws_secret_access_key': '***', 'region': 'x'}"),
        ("Authorization: Bearer abcdefgh.ijkl", "Authorization: Bearer ***"),
        ("key AKIAIOSFODNN7EXAMPLE is refused", "key *** is refused"),
        ("tokens: 12, zoo.runs=8, class token: 3", "tokens: 12, zoo.runs=8, class token: 3"),
    ],
)
def test_passwords_of_uris(text: str, shown: str) -> None:
    assert masked(text) == shown


def test_settings_of_any_depth() -> None:
    settings = {"overrides": {"tracking": {"uri": "http://u:secret@h"}}, "runs": ({"x": "http://u:secret@h"}, 2, None)}
    assert masked_settings(settings) == {
        "overrides": {"tracking": {"uri": "http://u:***@h"}},
        "runs": [{"x": "http://u:***@h"}, 2, None],
    }
    assert masked_settings({"secret_access_key": "S", "api_key": None}) == {"secret_access_key": "***", "api_key": None}


def test_streams_and_console_are_masked(capsys: pytest.CaptureFixture[str]) -> None:
    with masked_output():
        print("http://u:secret@h")
        print("http://u:secret@h", file=sys.stderr)
    Console().say("http://u:secret@h")
    Console().show("http://u:secret@h")
    captured = capsys.readouterr()
    assert captured.out == "http://u:***@h\n" * 2 and captured.err == "http://u:***@h\n" * 2


@pytest.mark.parametrize(
    "piece",
    ["a", "a://x:", "password", "secret_", "?password", "s3://", "s3://a:@", "Bearer ", '"key": "v", ', "key ="],
)
def test_time_grows_with_the_length_alone(piece: str) -> None:
    begin = time.process_time()
    masked(piece * (100_000 // len(piece)))
    assert time.process_time() - begin < 2.0  # quadratic expressions took minutes


def test_a_process_is_masked_once_and_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", None)
    mask_output()
    mask_output()
    sys.stdout.writelines(["http://u:secret@h", "\n"])
    assert isinstance(sys.stdout, MaskedStream) and sys.stderr is None
    assert stream.getvalue() == "http://u:***@h\n"
