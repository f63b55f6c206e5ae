"""The shape of the repository: source root, rooms, file sizes, ignored files."""

import platform
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "platform").rglob("*.py"))


def test_source_root_is_not_a_package() -> None:
    # An __init__.py there would shadow Python's own `platform` module wherever the root is on the path.
    assert not (ROOT / "platform" / "__init__.py").exists()
    assert [
        p.name
        for p in (ROOT / "platform").iterdir()
        if p.is_dir() and p.name[0] != "." and not p.name.endswith(".egg-info")
    ] == ["zoogen"]
    assert platform.python_implementation() == "CPython"


def test_every_room_is_a_package() -> None:
    rooms = {path.parent for path in SOURCES}
    assert [room for room in rooms if not (room / "__init__.py").exists() and room.name != "platform"] == []


def test_files_stay_small() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in SOURCES}
    assert {name: length for name, length in lengths.items() if length > 280} == {}


def test_direct_dependencies_are_pinned_as_the_constraints_say() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = {}
    for name in ("constraints.txt", "bench.txt"):
        for line in (ROOT / "requirements" / name).read_text().splitlines():
            if line and not line.startswith("#"):
                package, version = line.split("==")
                pins[package.lower()] = version
    extras = project["optional-dependencies"]
    for requirement in [*project["dependencies"], *extras["test"], *extras["bench"]]:
        package, version = requirement.split("==")
        assert pins[package.split("[")[0].lower()] == version, requirement


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        ("artifacts/mlflow.db", True),
        ("nets.safetensors", True),
        (".venv/bin/python", True),
        ("platform/zoogen/__pycache__/cli.cpython-311.pyc", True),
        ("platform/zoogen/cli.py", False),
        ("configs/genflownet/quick.yaml", False),
        ("jobs/pipeline.py", False),
        ("docs/images/distributions.png", False),
    ],
)
def test_what_git_and_ray_leave_out(path: str, ignored: bool, tmp_path: Path) -> None:
    # in a repository of its own, so that the rules are checked in an unpacked archive, too
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    shutil.copy(ROOT / ".gitignore", tmp_path)
    result = subprocess.run(["git", "check-ignore", "-q", "--no-index", path], cwd=tmp_path, check=False)
    assert (result.returncode == 0) == ignored
