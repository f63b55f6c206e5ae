"""docs/architecture.md lists the rooms, commands, stages and functions that exist, and no others."""

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command

import zoogen
from zoogen.cli import app
from zoogen.commands.run import STAGES

ROOT = Path(__file__).parents[1]
PACKAGE = Path(zoogen.__file__).parent
TEXT = (ROOT / "docs" / "architecture.md").read_text()
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
ROOMS = sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists())


def first_cells(table: str) -> list[str]:
    """What stands in backticks in the first column of a table."""
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| ")]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


def dotted_names() -> list[str]:
    """`room.module.name` of the code; in the table of commands `.name` is completed by the module before it."""
    names = re.findall(rf"`((?:{'|'.join(ROOMS)})\.[\w.]+)[`(]", TEXT)
    module = ""
    for name in re.findall(r"`((?:\w+)?\.[\w.]+)`", SECTIONS["Commands and stages"]):
        module = name.rpartition(".")[0] or module
        names.append(f"{module}.{name.rpartition('.')[2]}")
    return names


def resolved(name: str) -> Any:
    """The module, class or function of a dotted name below the package."""
    path, value = PACKAGE, importlib.import_module("zoogen")
    for part in name.split("."):
        path = path / part
        is_module = path.is_dir() or path.with_suffix(".py").exists()
        value = importlib.import_module(f"{value.__name__}.{part}") if is_module else getattr(value, part)
    return value


def test_every_room_is_listed_and_exists() -> None:
    table = TEXT.partition("| room |")[2].partition("\n\n")[0]
    listed = first_cells(table)
    assert sorted(name.rstrip("/") for name in listed if name.endswith("/")) == ROOMS
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    assert modules <= {name.removesuffix(".py") for name in listed}, "modules beside the rooms"


def test_every_command_is_listed_and_exists() -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    names = []
    for name, command in group.commands.items():
        names += [f"{name} {below}" for below in command.commands] if isinstance(command, TyperGroup) else [name]
    assert sorted(first_cells(SECTIONS["Commands and stages"])) == sorted(names)


def test_every_stage_is_listed_and_has_a_job() -> None:
    section = SECTIONS["Commands and stages"]
    for name in STAGES:
        assert re.search(rf"`(?:pipelines\.stages)?\.{name}`", section), name
        assert (ROOT / "jobs" / f"{name}.py").exists()


@pytest.mark.parametrize("name", dict.fromkeys(dotted_names()))
def test_what_is_named_exists(name: str) -> None:
    assert resolved(name) is not None


def test_enough_is_named() -> None:
    assert len(dotted_names()) > 30 and "pipelines.stages.train_generator" in dotted_names()
