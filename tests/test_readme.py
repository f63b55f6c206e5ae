"""What the README and the docs tell a user to type exists."""

import re
import shlex
from pathlib import Path

import pytest

from zoogen.cli import main
from zoogen.pipelines.config import PipelineConfig

ROOT = Path(__file__).parents[1]
TEXTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Commands without a dry run are checked by their help instead.
WITHOUT_DRY_RUN = {"zoo", "ui", "schema", "report"}


def commands(prefix: str) -> list[list[str]]:
    """Indented command lines that begin with `prefix`, continuation lines joined, comments left out."""
    found = []
    for text in TEXTS:
        lines = text.read_text().replace("\\\n", " ").splitlines()
        found += [shlex.split(line, comments=True) for line in lines if re.match(rf" {{4}}{prefix} ", line)]
    return found


@pytest.mark.parametrize("words", commands("zoogen"), ids=" ".join)
def test_zoogen_commands_parse(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    arguments = words[1:]
    if arguments[0] in WITHOUT_DRY_RUN:
        assert all(Path(word).exists() for word in arguments if word.endswith(".yaml"))
        depth = 2 if arguments[0] == "zoo" else 1
        arguments = [*arguments[:depth], "--help"]
    elif arguments[0] != "--version":
        arguments = [*arguments, "--dry-run"]
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 0


def test_job_submission_names_what_exists() -> None:
    (words,) = commands("ray job submit")
    job, config = words[words.index("python") + 1 :][:2]
    assert (ROOT / job).exists() and (ROOT / config).exists()


@pytest.mark.parametrize("words", commands("make"), ids=" ".join)
def test_make_targets_exist(words: list[str]) -> None:
    assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.name)
def test_links_lead_somewhere(text: Path) -> None:
    for target in re.findall(r"\]\((?!https?://)([^)#]+)\)", text.read_text()):
        assert (text.parent / target).exists(), target


def test_configuration_page_names_every_section() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    for key in PipelineConfig.model_fields:
        assert f"`{key}`" in page, key


def test_readme_fits_on_a_page() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 100
