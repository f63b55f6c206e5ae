"""Passwords of URIs are hidden, whatever they hold, and nothing else is."""

import pytest

from zoogen.tracking.secrets import hidden_passwords, without_passwords


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
    ],
)
def test_passwords_of_uris(text: str, shown: str) -> None:
    assert hidden_passwords(text) == shown


def test_settings_of_any_depth() -> None:
    settings = {"overrides": {"tracking": {"uri": "http://u:secret@h"}}, "runs": ({"x": "http://u:secret@h"}, 2, None)}
    assert without_passwords(settings) == {
        "overrides": {"tracking": {"uri": "http://u:***@h"}},
        "runs": [{"x": "http://u:***@h"}, 2, None],
    }
