"""The artifact store: written once, whole, inside its root, with errors of one line."""

import http.server
import os
import pickle
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer
from tests.fakes import FakeTask

import zoogen
from zoogen.errors import ZoogenError
from zoogen.zoo.build import build_serially
from zoogen.zoo.export import list_zoos
from zoogen.zoo.plan import ZooConfig, plan_zoo
from zoogen.zoo.read import Zoo
from zoogen.zoo.store import ArtifactStore, validate_key


def environment() -> dict[str, str]:
    """Environment of a child process that imports zoogen from this source tree."""
    return {**os.environ, "PYTHONPATH": str(Path(zoogen.__file__).parent.parent)}


def one_line(error: pytest.ExceptionInfo[ZoogenError]) -> str:
    text = str(error.value)
    assert "\n" not in text and len(text) < 500
    return text


def test_written_once_and_read_back(tmp_path):
    store = ArtifactStore(tmp_path / "new" / "root")
    assert store.list("zoo") == [] and not (tmp_path / "new").exists(), "reading makes no folders"
    assert not store.exists("zoo/a.json")
    assert store.put_if_absent("zoo/a.json", b"first")
    assert not store.put_if_absent("zoo/a.json", b"second")
    assert store.get("zoo/a.json") == b"first"
    assert store.exists("zoo/a.json")
    path = store.local_path_of("zoo/a.json")
    assert path is not None and path.read_bytes() == b"first"
    assert store.uri_of("zoo/a.json") == path.as_uri()


def test_list_is_sorted_and_keeps_to_the_folder(tmp_path):
    store = ArtifactStore(tmp_path)
    for key in ("zoo/b.json", "zoo/a.json", "zoo2/c.json", "zoo/parts/x/1.parquet"):
        store.put_if_absent(key, b"")
    assert store.list("zoo") == ["zoo/a.json", "zoo/b.json", "zoo/parts/x/1.parquet"]
    assert store.list("zoo/parts/") == ["zoo/parts/x/1.parquet"]


def test_relative_roots_and_uris_name_the_same_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = ArtifactStore("some where/artifacts")  # a relative root means the same in a worker elsewhere
    store.put_if_absent("a", b"1")
    assert store.uri == (tmp_path / "some where/artifacts").as_uri()
    assert ArtifactStore(store.uri).get("a") == b"1"
    assert ArtifactStore(f"{store.uri}/").uri == store.uri


def test_memory_is_shared_within_the_process():
    ArtifactStore("memory://shared-within").put_if_absent("a", b"1")
    assert ArtifactStore("memory://shared-within").get("a") == b"1"
    assert not ArtifactStore("memory://another").exists("a")
    assert ArtifactStore("memory://another").local_path_of("a") is None


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/etc/passwd",
        "../a",
        "a/../b",
        "a/..",
        ".",
        "a//b",
        "a/",
        "a\\b",
        "a\nb",
        "a\x00",
        ".hidden",
        "ä",
        "%2e%2e/a",
    ],
)
def test_keys_that_leave_the_root_are_refused(tmp_path, key):
    store = ArtifactStore(tmp_path / "root")
    for call in (lambda: store.put_if_absent(key, b""), lambda: store.get(key), lambda: store.exists(key)):
        with pytest.raises(ZoogenError) as error:
            call()
        one_line(error)
    assert not (tmp_path / "root").exists()


@given(st.text(max_size=20))
def test_whatever_is_accepted_stays_inside(key):
    try:
        validate_key(key)
    except ZoogenError:
        return
    assert os.path.normpath(os.path.join("/srv", key)) == f"/srv/{key}"


@pytest.mark.parametrize(
    "uri", ["", "s3://", "s3:///key", "nonsense://bucket/key", "file://relative", "memory://", "az://container/x"]
)
def test_malformed_uris(uri):
    with pytest.raises(ZoogenError) as error:
        ArtifactStore(uri).check()
    one_line(error)


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "root").write_text("")
    with pytest.raises(ZoogenError, match="file lies where a folder must be"):
        ArtifactStore(tmp_path / "root").check()
    store = ArtifactStore(tmp_path / "other")
    store.put_if_absent("zoo", b"a file")
    with pytest.raises(ZoogenError) as error:
        store.put_if_absent("zoo/a", b"")
    one_line(error)


UNPRIVILEGED = """
import os, sys
from zoogen.errors import ZoogenError
from zoogen.zoo.store import ArtifactStore
import obstore.store
if os.geteuid() == 0:
    os.seteuid(65534)  # root may write anywhere
for root in sys.argv[1:]:
    try:
        ArtifactStore(root).check()
        print("written")
    except ZoogenError as error:
        print(error)
"""


def test_unwritable_folder():
    with tempfile.TemporaryDirectory() as folder:
        closed = Path(folder) / "closed"
        closed.mkdir()
        Path(folder).chmod(0o755)
        closed.chmod(0o555)
        command = [sys.executable, "-c", UNPRIVILEGED, str(closed), str(closed / "new")]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60)
        lines = done.stdout.splitlines()
        assert len(lines) == 2 and all("cannot write below" in x for x in lines), done
        assert all(closed.as_uri() in line and "choose another root" in line for line in lines), lines
        assert list(closed.iterdir()) == []


RACER = """
import os, sys
from zoogen.zoo.store import ArtifactStore
store = ArtifactStore(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
won = [i for i in range(20) if store.put_if_absent(f"zoo/{i}", f"{os.getpid():08d}".encode() * 1000)]
print(*won)
"""


def winners_of_a_race(uri: str, processes: int = 4) -> list[int]:
    """Keys won by each of several processes that write the same 20 keys at once, all together."""
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, uri],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(processes)
    ]
    for racer in racers:
        assert racer.stdout is not None and racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    return sorted(int(key) for racer in racers for key in racer.communicate(timeout=60)[0].split())


def test_a_race_has_one_winner_per_key(tmp_path):
    assert winners_of_a_race(str(tmp_path)) == list(range(20))
    objects = [ArtifactStore(tmp_path).get(f"zoo/{index}") for index in range(20)]
    assert all(data == data[:8] * 1000 for data in objects), "each object comes whole from one process"


def test_nothing_half_written_after_a_kill(tmp_path):
    """A process is killed again and again while it writes large objects: those that exist are whole."""
    code = (
        "import sys, itertools\n"
        "from zoogen.zoo.store import ArtifactStore\n"
        "store, data = ArtifactStore(sys.argv[1]), b'x' * 4_000_000\n"
        "print('ready', flush=True)\n"
        "for i in itertools.count(): store.put_if_absent(f'{sys.argv[2]}/{i}', data)\n"
    )
    for attempt in range(3):
        command = [sys.executable, "-c", code, str(tmp_path), f"a{attempt}"]
        with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
            while not ArtifactStore(tmp_path).exists(f"a{attempt}/2"):
                assert process.poll() is None
            process.kill()
    store = ArtifactStore(tmp_path)
    keys = [key for attempt in range(3) for key in store.list(f"a{attempt}")]
    assert len(keys) >= 9
    assert {len(store.get(key)) for key in keys} == {4_000_000}
    for key in keys:
        path = store.local_path_of(key)
        assert path is not None
        path.unlink()


@pytest.fixture
def closed_port():
    """A port that refuses connections for as long as the test runs: held by a socket that does not listen, so that
    no other process can be given it."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@pytest.fixture(scope="module")
def s3_endpoint():
    """moto's S3 on a loopback port that the system chooses as it opens it: no other process can come in between."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_endpoint, monkeypatch):
    for name, value in (("ENDPOINT_URL", s3_endpoint), ("ACCESS_KEY_ID", "a"), ("SECRET_ACCESS_KEY", "b")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    urllib.request.urlopen(urllib.request.Request(f"{s3_endpoint}/zoos", method="PUT")).close()
    return "s3://zoos/some/prefix"


def test_s3_behaves_like_a_folder(s3):
    store = ArtifactStore(s3)
    store.check()
    assert store.list("zoo") == []
    assert store.put_if_absent("zoo/a.json", b"first") and not store.put_if_absent("zoo/a.json", b"second")
    assert store.get("zoo/a.json") == b"first" and store.exists("zoo/a.json") and not store.exists("zoo/b.json")
    assert store.list("zoo") == ["zoo/a.json"]
    assert (
        store.uri_of("zoo/a.json") == "s3://zoos/some/prefix/zoo/a.json" and store.local_path_of("zoo/a.json") is None
    )
    with pytest.raises(ZoogenError, match="there is no s3://zoos/some/prefix/zoo/b.json"):
        store.get("zoo/b.json")


def test_a_race_on_s3_has_one_winner_per_key(s3):
    assert winners_of_a_race(f"{s3}/race") == list(range(20))


def test_missing_bucket(s3):
    with pytest.raises(ZoogenError, match="no such bucket") as error:
        ArtifactStore("s3://no-such-bucket/x").check()
    one_line(error)


def test_unreachable_endpoint_answers_soon(monkeypatch, closed_port):
    for name, value in (("ACCESS_KEY_ID", "a"), ("SECRET_ACCESS_KEY", "b")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed_port}")
    begin = time.monotonic()
    for call in (lambda s: s.check(), lambda s: s.list("zoo"), lambda s: s.exists("a")):
        with pytest.raises(ZoogenError, match="does not answer") as error:
            call(ArtifactStore("s3://zoos"))
        one_line(error)
    assert time.monotonic() - begin < 30


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("GET http://127.0.0.1:40345/zoos in 5.403162s - HTTP error: error sending request", "does not answer"),
        ("GET http://h:9/zoos in 1ms - Server returned non-2xx status code: 403 Forbidden: ", "access denied"),
        ("Permission denied (os error 13)", "access denied"),
        ("No space left on device (os error 28)", "no space left"),
        ("dns error: failed to look up address", "does not answer"),
    ],
)
def test_what_a_store_says_is_told_by_its_meaning(tmp_path, said, told):
    """Times and ports hold any digits, those of a status code, too."""

    def fails():
        raise ValueError(said)

    with pytest.raises(ZoogenError, match=told):
        ArtifactStore(str(tmp_path))._guard("read", fails)


def test_a_server_that_forbids_is_told_apart_from_one_that_is_not_there(monkeypatch):
    class Forbidding(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(403)
            self.end_headers()

        do_PUT = do_HEAD = do_GET

        def log_message(self, *_):
            pass

    for name, value in (("ACCESS_KEY_ID", "a"), ("SECRET_ACCESS_KEY", "b")):
        monkeypatch.setenv(f"AWS_{name}", value)
    with http.server.HTTPServer(("127.0.0.1", 0), Forbidding) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        for call in (lambda s: s.check(), lambda s: s.list("zoo"), lambda s: s.exists("a")):
            with pytest.raises(ZoogenError, match="access denied") as error:
                call(ArtifactStore("s3://zoos"))
            one_line(error)
        server.shutdown()


def test_silent_endpoint_answers_within_ten_seconds(monkeypatch):
    """A server that takes connections and never replies."""
    for name, value in (("ACCESS_KEY_ID", "a"), ("SECRET_ACCESS_KEY", "b")):
        monkeypatch.setenv(f"AWS_{name}", value)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{listener.getsockname()[1]}")
        begin = time.monotonic()
        with pytest.raises(ZoogenError) as error:
            ArtifactStore("s3://zoos").check()
        assert time.monotonic() - begin < 12
        assert "does not answer" in one_line(error)


def test_no_credentials(monkeypatch, closed_port):
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "ENDPOINT_URL"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", f"http://127.0.0.1:{closed_port}")  # no cloud machine
    begin = time.monotonic()
    with pytest.raises(ZoogenError, match="no credentials; set AWS_ACCESS_KEY_ID") as error:
        ArtifactStore("s3://zoos").check()
    one_line(error)
    assert time.monotonic() - begin < 12


def test_a_zoo_on_s3(s3):
    task, store = FakeTask(), ArtifactStore(f"{s3}/whole")
    plan = plan_zoo(ZooConfig(structures=("2", "3"), runs=3, validation_runs=1, test_runs=1, cohort=2), task)
    assert len(build_serially(plan, task, store).parts) == 6
    assert build_serially(plan, task, store).reused == 6
    rows = Zoo(store, plan, task).select("3", "train", last=1)
    assert rows.runs.tolist() == [0, 1, 2] and rows.weights.shape == (3, 9)
    assert [listing.complete for listing in list_zoos(store)] == [True]


def test_a_store_travels_by_its_address_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-this-machine")
    store = ArtifactStore(tmp_path / "a root")
    store.put_if_absent("x", b"1")
    sent = pickle.dumps(store)
    assert pickle.loads(sent).get("x") == b"1" and len(sent) < 400
    bucket = ArtifactStore("s3://bucket/prefix")
    assert b"secret" not in pickle.dumps(bucket) and pickle.loads(pickle.dumps(bucket)).uri == bucket.uri
