from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from zoogen.config import Config, load_config, parse_config, read_mapping
from zoogen.errors import ZoogenError


class Square(Config):
    kind: Literal["square"] = "square"
    side: int = Field(2, ge=1)


class Circle(Config):
    kind: Literal["circle"] = "circle"
    radius: float = 1.0


class Drawing(Config):
    name: str = "drawing"
    runs: int = Field(4, ge=1)
    shape: Annotated[Square | Circle, Field(discriminator="kind")] = Square()
    tags: tuple[str, ...] = ()


def write(folder: Path, text: str) -> Path:
    path = folder / "drawing.yaml"
    path.write_text(text)
    return path


def failure(*arguments: object) -> str:
    with pytest.raises(ZoogenError) as error:
        load_config(Drawing, *arguments)  # type: ignore[arg-type]
    message = str(error.value)
    assert "\n" not in message
    return message


def test_defaults_file_and_overrides_in_that_order(tmp_path: Path) -> None:
    path = write(tmp_path, "runs: 8\nshape: {kind: circle, radius: 3}\n")
    assert load_config(Drawing, path) == Drawing(runs=8, shape=Circle(radius=3))
    changed = load_config(Drawing, path, ["shape.radius=.5", "runs=2", "tags=[a, b]", "name=other"])
    assert changed == Drawing(name="other", runs=2, shape=Circle(radius=0.5), tags=("a", "b"))


def test_empty_file_is_the_defaults(tmp_path: Path) -> None:
    assert load_config(Drawing, write(tmp_path, "# nothing\n")) == Drawing()


def test_override_creates_a_missing_section(tmp_path: Path) -> None:
    assert load_config(Drawing, write(tmp_path, ""), ["shape.kind=circle"]).shape == Circle()


def test_section_without_kind_is_of_the_default_kind(tmp_path: Path) -> None:
    assert load_config(Drawing, write(tmp_path, "shape: {side: 5}")).shape == Square(side=5)
    assert load_config(Drawing, write(tmp_path, ""), ["shape.side=6"]).shape == Square(side=6)


def test_resolved_configuration_reads_back_as_itself() -> None:
    config = Drawing(shape=Circle(radius=2.5), tags=("x",))
    assert parse_config(Drawing, config.model_dump(mode="json"), "again") == config


def test_configuration_is_frozen() -> None:
    with pytest.raises(ValueError):
        Drawing().runs = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "overrides", "expected"),
    [
        ("rusn: 8", [], "unknown key rusn (did you mean runs?)"),
        ("", ["shape.sied=3"], "unknown key shape.sied (did you mean side?)"),
        ("shape: {side: none}", [], "shape.side: "),
        ("shape: {kind: circle, radios: 1}", [], "did you mean radius?"),
        ("shape: {kind: circle, rus: 1}", [], "did you mean radius?"),
        ("", ["zzzqqq=3"], "unknown key zzzqqq"),
        ("runs: many", [], "runs: "),
        ("runs: 0", [], "greater than or equal to 1"),
        ("shape: {kind: circle, radius: .nan}", [], "finite"),
        ("shape: {kind: triangle}", [], "triangle"),
        ("- 1\n- 2", [], "must hold a mapping"),
        ("a: [", [], "not valid YAML"),
        ("", ["runs"], "not of the form key.sub=value"),
        ("", ["=3"], "not of the form key.sub=value"),
        ("", ["runs=[1"], "not valid YAML"),
        ("runs: 3", ["runs.deep=1"], "is a value, not a section"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, text: str, overrides: list[str], expected: str) -> None:
    assert expected in failure(write(tmp_path, text), overrides)


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    message = failure(write(tmp_path, "rusn: 8\nruns: many\n"))
    assert "rusn" in message and "many" in message


def test_missing_file_and_folder_are_named(tmp_path: Path) -> None:
    assert "nowhere.yaml" in failure(tmp_path / "nowhere.yaml")
    assert str(tmp_path) in failure(tmp_path)


def test_not_text_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"\xff\xfe\x00\x01")
    assert "binary.yaml" in failure(path)


def test_yaml_cannot_run_code(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    text = f"name: !!python/object/apply:os.system ['touch {marker}']"
    assert "not valid YAML" in failure(write(tmp_path, text))
    assert not marker.exists()


def test_read_mapping_keeps_plain_values(tmp_path: Path) -> None:
    assert read_mapping(write(tmp_path, "a: 1"), ["b.c=1e-3", "b.d='36,12,3,6'"]) == {
        "a": 1,
        "b": {"c": "1e-3", "d": "36,12,3,6"},
    }
