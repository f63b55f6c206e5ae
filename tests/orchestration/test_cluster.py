"""Reaching Ray: errors of one line, soon; a local Ray that strangers cannot use and that leaves nothing behind."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zoogen.errors import ZoogenError
from zoogen.orchestration.cluster import connect

PLATFORM = Path(__file__).parent.parent.parent / "platform"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("nonsense", "give host:port"),
        ("host:port", "give host:port"),
        ("127.0.0.1:99999", "give host:port"),
        ("http://127.0.0.1:8265", "ray job submit"),
        ("ray://127.0.0.1:10001", "ray job submit"),
        ("no-such-host.invalid:6379", "no Ray cluster answers at no-such-host.invalid:6379"),
    ],
)
def test_addresses_that_are_none(address, message):
    with pytest.raises(ZoogenError, match=message) as error, connect(address):
        pass
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("through", ["argument", "environment"])
def test_nobody_at_the_address(through, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: refused
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        if through == "environment":
            monkeypatch.setenv("RAY_ADDRESS", address)
        begin = time.monotonic()
        with (
            pytest.raises(ZoogenError, match=f"no Ray cluster answers at {address} .*ray start --head"),
            connect(None if through == "environment" else address),
        ):
            pass
        assert time.monotonic() - begin < 10


def test_something_else_at_the_address():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address, begin = f"127.0.0.1:{silent.getsockname()[1]}", time.monotonic()
        with pytest.raises(ZoogenError, match=f"what answers at {address} is no Ray cluster"), connect(address):
            pass
        assert time.monotonic() - begin < 10


LOCAL = """
import os, subprocess, sys
from zoogen.orchestration.cluster import connect, import_ray
assert "ray" not in sys.modules, "importing the room does not import Ray"
with connect(num_cpus=1) as cluster:
    ray = import_ray()
    assert cluster.local and cluster.cpus == 1
    with connect("127.0.0.1:1") as again:  # there is a connection already
        assert again.address == cluster.address and not again.local
    assert ray.is_initialized()
    where = ray.get(ray.remote(lambda: __import__("zoogen").__file__).remote())
    stranger = {k: v for k, v in os.environ.items() if not k.startswith("RAY_AUTH")}
    code = "import sys\\nfrom zoogen.orchestration.cluster import connect\\nwith connect(sys.argv[1]): print('inside')"
    done = subprocess.run(
        [sys.executable, "-c", code, cluster.address], env=stranger, capture_output=True, text=True, timeout=120
    )
assert not ray.is_initialized()
assert "RAY_AUTH_MODE" not in os.environ and "RAY_AUTH_TOKEN" not in os.environ
print(where)
print("inside" in done.stdout, done.stderr.strip().splitlines()[-1])
"""


def test_a_local_ray_of_ones_own(tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    environment |= {"PYTHONPATH": str(PLATFORM), "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", LOCAL], env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    where, stranger = done.stdout.splitlines()
    assert where == str(PLATFORM / "zoogen" / "__init__.py"), "workers import zoogen without an installation"
    assert stranger.startswith("False") and "cannot use the Ray cluster at" in stranger, stranger
    assert not (tmp_path / ".ray").exists(), "no token stays in the home directory"


def test_a_folder_too_long_for_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", "/tmp/" + "x" * 60)
    with pytest.raises(ZoogenError, match=r"107 bytes; set RAY_TMPDIR to one of at most 39 bytes") as error, connect():
        pass
    assert "authentication" not in str(error.value) and "token" not in str(error.value)
    monkeypatch.delenv("RAY_TMPDIR")
    monkeypatch.setenv("TMPDIR", "/tmp/" + "é" * 20)  # bytes count, not characters
    with pytest.raises(ZoogenError, match="set RAY_TMPDIR"), connect():
        pass
