"""What stores and disks say, told by its meaning."""

import errno

import pytest

from zoogen.zoo.faults import explain, passes

S3 = "Generic S3 error: Error performing PUT http://127.0.0.1:50300/b/x in 4.031s - "


@pytest.mark.parametrize(
    ("said", "waited"),
    [
        (f"{S3}HTTP error: error sending request", True),
        (f"{S3}Server returned non-2xx status code: 500 Internal Server Error: ", True),
        (f"{S3}Server returned non-2xx status code: 503 Service Unavailable: ", True),
        (f"{S3}Server returned non-2xx status code: 429 Too Many Requests: ", True),
        (f"{S3}Server returned non-2xx status code: 400 Bad Request: <Code>RequestTimeout</Code>", True),
        (f"{S3}Server returned non-2xx status code: 400 Bad Request: <Code>InvalidArgument</Code>", False),
        (f"{S3}Server returned non-2xx status code: 401 Unauthorized: ", False),
        (f"{S3}Server returned non-2xx status code: 403 Forbidden: timed out", False),
        (f"{S3}Server returned non-2xx status code: 501 Not Implemented: ", False),
        ("dns error: failed to look up address", True),
        ("invalid configuration", False),
    ],
)
def test_what_passes_of_a_service(said: str, waited: bool) -> None:
    assert passes(RuntimeError(said), local=False, writing=True) is waited


@pytest.mark.parametrize(
    ("number", "reading", "writing"),
    [
        (errno.ENOSPC, True, True),
        (errno.EIO, True, True),
        (errno.ESTALE, True, True),
        (errno.EACCES, False, True),
        (errno.EROFS, False, True),
        (errno.ENOTDIR, False, False),
        (errno.ELOOP, False, False),
        (errno.ENAMETOOLONG, False, False),
    ],
)
def test_what_passes_of_a_disk(number: int, reading: bool, writing: bool) -> None:
    for error in (OSError(number, "said"), RuntimeError(f"Generic LocalFileSystem error: said (os error {number})")):
        assert passes(error, local=True, writing=False) is reading
        assert passes(error, local=True, writing=True) is writing


def test_services_that_answer_with_errors_are_named_in_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://user:hush@storage:9000")
    said = explain(RuntimeError(f"{S3}Server returned non-2xx status code: 503 Service Unavailable: <Error>SlowDown"))
    assert said == "http://user:***@storage:9000 answers 503 Service Unavailable"
    assert "hush" not in explain(RuntimeError(f"{S3}HTTP error: error sending request"))
