"""Where a root lies, and that nothing leads out of it."""

import os
from pathlib import Path

import pytest

from zoogen.config import parse_config
from zoogen.errors import ZoogenError
from zoogen.pipelines.config import PipelineConfig
from zoogen.zoo import roots
from zoogen.zoo.store import ArtifactStore

KEYED = [
    "s3://AKEY:hush@bucket/x",
    "s3://hush@bucket",
    "s3://AKEY%3Ahush@bucket",
    "S3://AKEY:hush@bucket",
    "s3a://AKEY:hu/sh@bucket",
    "s3://bucket?aws_secret_access_key=hush",
    "s3://bucket/x?hush",
    "s3://bucket/x#hush",
    "s3:AKEY:hush@bucket",
    "s3:/AKEY:hush@bucket",
    "gs://bucket/x?access_token=hush",
    "az://account:hush@container/x",
    "abfss://container:hush@account.dfs.core.windows.net/x",
    "https://user:hush@host/x",
    "ftp://user:hush@host",
]


@pytest.mark.parametrize("uri", KEYED)
def test_keys_in_uris_are_refused_and_not_repeated(uri: str) -> None:
    def configure() -> object:
        return parse_config(PipelineConfig, {"zoo": {"structures": "3,3"}, "artifacts": uri}, "study.yaml")

    for refuse in (configure, lambda: ArtifactStore(uri)):
        with pytest.raises(ZoogenError) as error:
            refuse()
        line = str(error.value)
        assert "hush" not in line and "AKEY" not in line and "\n" not in line and len(line) < 400
        if "://" in uri:
            names = {"gs": "GOOGLE_APPLICATION_CREDENTIALS", "az": "AZURE_STORAGE", "abfss": "AZURE_STORAGE"}
            assert names.get(uri.partition(":")[0], "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY") in line


@pytest.mark.parametrize("uri", ["abfss://container@account.dfs.core.windows.net/x", "s3://bucket/a=b", "gs://b"])
def test_places_without_keys_are_taken(uri: str) -> None:
    assert roots.local_root(uri) is None


@pytest.mark.parametrize("path", ["a@b:c", "what?x", "c:d", "50%20#1"])
def test_folders_may_have_any_name(path: str, tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / path)
    assert store.put_if_absent("a", b"1") and (tmp_path / path / "a").read_bytes() == b"1"
    assert ArtifactStore(store.uri).get("a") == b"1"


@pytest.fixture
def linked(tmp_path: Path) -> ArtifactStore:
    """A store whose root is a link, with links in it that lead out: to a file, to folders, to nothing."""
    outside, real = tmp_path / "outside", tmp_path / "real"
    (outside / "folder").mkdir(parents=True)
    (outside / "file").write_bytes(b"not ours")
    real.mkdir()
    (tmp_path / "root").symlink_to(real)
    store = ArtifactStore(tmp_path / "root")
    store.put_if_absent("zoo/own", b"ours")
    (real / "zoo" / "file").symlink_to(outside / "file")
    (real / "zoo" / "relative").symlink_to("../../outside/file")
    (real / "zoo" / "nothing").symlink_to(outside / "new")
    (real / "out").symlink_to(outside)
    (real / "up").symlink_to("..")
    (real / "chain").symlink_to("out/folder")
    (real / "again").symlink_to("zoo/own")
    return store


OUTSIDE = ["zoo/file", "zoo/relative", "zoo/nothing", "out/file", "out/new", "up/outside/file", "chain/x", "out"]


@pytest.mark.parametrize("key", OUTSIDE)
def test_no_link_is_followed_out_of_the_root(linked: ArtifactStore, key: str, tmp_path: Path) -> None:
    calls = [
        linked.get,
        linked.exists,
        linked.version,
        linked.size,
        linked.list,
        linked.versions,
        linked.local_path_of,
        linked.folder,
        lambda key: linked.put_if_absent(key, b"x"),
        lambda key: linked.replace(key, b"x", ""),
        lambda key: linked.read_into(key, [(0, memoryview(bytearray(3)))]),
    ]
    for call in calls:
        with pytest.raises(ZoogenError, match="symbolic link that leads out of the artifact root .* remove it"):
            call(key)
    outside = tmp_path / "outside"
    assert sorted(p.name for p in outside.iterdir()) == ["file", "folder"] and not list((outside / "folder").iterdir())
    assert (outside / "file").read_bytes() == b"not ours"


def test_listings_name_the_link_and_links_inside_are_as_good_as_files(linked: ArtifactStore, tmp_path: Path) -> None:
    with pytest.raises(ZoogenError, match=r"zoo/(file|relative) is a symbolic link"):
        linked.list("zoo")
    for name in ("file", "relative", "nothing"):
        (tmp_path / "real" / "zoo" / name).unlink()
    assert linked.list("zoo") == ["zoo/own"] and linked.get("again") == b"ours"
    assert not linked.put_if_absent("again", b"x")
    (tmp_path / "real" / "zoo" / "inner").symlink_to(tmp_path / "outside")
    with pytest.raises(ZoogenError, match="zoo/inner is a symbolic link"):
        linked.list("zoo")


def test_a_link_that_appears_between_look_and_opening_is_noticed(linked: ArtifactStore, tmp_path: Path) -> None:
    root, path = tmp_path / "root", tmp_path / "root" / "zoo" / "own"
    with roots.open_inside(root, path) as file:
        assert file.read() == b"ours"
    path.unlink()
    path.symlink_to(tmp_path / "outside" / "file")  # after `inside` has looked
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ZoogenError, match="leads out of the artifact root"):
        roots.open_inside(root, path)
    assert len(os.listdir("/proc/self/fd")) == before, "and nothing stays open"


def test_what_is_no_file_keeps_nobody_waiting(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    assert store.get("pipe") == b""
    with pytest.raises(ZoogenError, match="there is no"):
        store.get("folder")
