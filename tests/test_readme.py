"""What the README and the docs tell a user to type exists."""

import re
import shlex
from pathlib import Path

import pytest
import torch

from zoogen.cli import main
from zoogen.networks.classifiers.registry import classifier, classifier_names
from zoogen.networks.classifiers.spec import ClassifierSpec
from zoogen.pipelines.config import PipelineConfig
from zoogen.tasks.images.data.catalogue import HUB
from zoogen.weights.layout import ParameterLayout

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
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_readme_shows_the_own_file_as_it_runs() -> None:
    (shown,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert shown == (ROOT / "configs" / "pdiff" / "own.py").read_text()
    assert len(shown.splitlines()) <= 15


def test_images_page_names_every_network_with_its_parameters() -> None:
    page = (ROOT / "docs" / "images.md").read_text()
    listed = {cells[0].strip("`"): cells[1:] for cells in table_rows(page) if len(cells) == 7}
    for name in classifier_names():
        spec = classifier(name)
        edge, channels, grey, colour, part, _ = listed[name]
        assert (int(edge), channels) == (spec.size, "any" if spec.channels is None else str(spec.channels)), name
        assert grey == ("–" if spec.channels == 3 else f"{parameters(spec, 1).size:,}"), name
        assert colour == f"{parameters(spec, 3).size:,}", name
        assert part == ("–" if not spec.normalisations else f"{last_two(spec):,}"), name


def test_images_page_names_every_data_set() -> None:
    rows = {cells[0].strip("`"): cells[1:] for cells in table_rows((ROOT / "docs" / "images.md").read_text())}
    for name, entry in HUB.items():
        classes, channels, source = rows[name]
        assert (int(classes), int(channels)) == (entry.classes, entry.channels), name
        assert f"`{entry.hub}`" in source and f"`{entry.section or entry.hub}`" in source, name


def table_rows(page: str) -> list[list[str]]:
    """Cells of all tables of a page."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("|")]


def parameters(spec: ClassifierSpec, channels: int) -> ParameterLayout:
    """Of the network for 10 classes at its own edge; nothing is allocated."""
    with torch.device("meta"):
        module = spec.build(channels, spec.size, 10)
    return ParameterLayout.of({name: tuple(value.shape) for name, value in module.named_parameters()})


def last_two(spec: ClassifierSpec) -> int:
    """Parameters of the last two normalisation layers, colour images."""
    return parameters(spec, 3).subset(spec.normalisations).size
