"""A generator as one file: it serves without its study, and whatever it is not is one line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.generators.source.grids import TASK, TAUGHT, source_config
from tests.studies import TINY, MakeStudy

from zoogen.errors import ZoogenError
from zoogen.generators.latent_weight_generator import LatentWeightGenerator
from zoogen.generators.source.train import train_source_generator
from zoogen.generators.stored import read_generator
from zoogen.generators.weight_generator import KIND
from zoogen.pipelines import stages
from zoogen.pipelines.generating import generate, generate_from_file
from zoogen.pipelines.results import GeneratedFile
from zoogen.pipelines.weight_files import judge_file
from zoogen.weights.files import read_weights
from zoogen.weights.packing import pack, unpack
from zoogen.zoo.store import ArtifactStore


@pytest.fixture(scope="module")
def source_bytes() -> bytes:
    return train_source_generator(source_config(5), TASK, TAUGHT, seed=0, digest="abc").to_bytes()


@pytest.fixture
def source(tmp_path: Path, source_bytes: bytes) -> Path:
    """A generator file."""
    path = tmp_path / "generator.safetensors"
    path.write_bytes(source_bytes)
    return path


def made(path: Path, structure: str = "4^2", out: str | None = None, **options: Any) -> tuple[GeneratedFile, list[str]]:
    """A file generated below the generator's folder, and what was said."""
    said: list[str] = []
    store = ArtifactStore(str(path.parent / "root"))
    return generate_from_file(str(path), structure, 3, 1, out, store=store, say=said.append, **options), said


def changed(data: bytes, change: Callable[[dict[str, torch.Tensor], dict[str, Any]], None]) -> bytes:
    """A sealed artifact with other tensors or entries."""
    tensors, metadata = unpack(KIND, data)
    change(tensors, metadata)
    return pack(KIND, tensors, metadata)


def test_a_file_alone_gives_what_its_study_gives(make_study: MakeStudy, tmp_path: Path) -> None:
    study = make_study()
    for stage in (stages.build_zoo, stages.train_autoencoder, stages.train_generator):
        stage(study)
    (path,) = (tmp_path / "artifacts" / "generators").iterdir()
    by_study, by_file = tmp_path / "study.safetensors", tmp_path / "file.safetensors"
    generate(study, "E*", 3, 1, str(by_study))
    result, said = made(path, "2^2", str(by_file))
    assert (result.label, result.path) == ("E* 2^2", by_file)
    assert by_file.read_bytes() == by_study.read_bytes()
    assert said == ["notice: E* 2^2: h = 2 lies beyond the 8 taught for n = 2"]


def test_a_source_generator_serves_alone(source: Path) -> None:
    result, said = made(source)
    assert result.path == source.parent / "root" / "generated" / "abc" / "8-4-2-2-82843-count3-seed1.safetensors"
    expected = read_generator(source.read_bytes()).generate(TASK.target("4^2"), 3, 1)
    layout = TASK.layout("4^2")
    assert torch.equal(layout.flatten(read_weights(result.path).tensors), expected)
    assert judge_file(str(result.path))["count"] == 3 and said == []
    _, said = made(source, "9^2")
    assert said == ["notice: 9^2: h = 9 lies beyond the 2–5 taught for n = 2"]


def test_without_out_the_root_has_to_be_a_folder(source: Path) -> None:
    with pytest.raises(ZoogenError, match="is not local; give --structure and --out FILE"):
        generate_from_file(str(source), "4^2", 1, 0, None, store=ArtifactStore("memory://bucket/x"), say=print)


def test_the_generator_file_is_not_overwritten(source: Path) -> None:
    before = source.read_bytes()
    with pytest.raises(ZoogenError, match="is the generator file itself"):
        made(source, out=str(source))
    assert source.read_bytes() == before


@pytest.mark.parametrize(
    ("structure", "message"),
    [
        ("Q", "unknown structure 'Q'"),
        ("2^13", "has 13 dimensions, the coordinates of a policy's weights tell at most 12 apart"),
        ("5000^1", "networks as it says take inputs n·h 5000"),
    ],
)
def test_structures_that_it_cannot_make_are_one_line(source: Path, structure: str, message: str) -> None:
    with pytest.raises(ZoogenError, match=message) as error:
        made(source, structure)
    assert str(error.value).startswith(str(source)) and "\n" not in str(error.value)


def _named(name: str, value: Any) -> Callable[[dict[str, torch.Tensor], dict[str, Any]], None]:
    return lambda tensors, metadata: metadata.update({name: value})


def _in_config(**values: Any) -> Callable[[dict[str, torch.Tensor], dict[str, Any]], None]:
    return lambda tensors, metadata: metadata["config"].update(values)


def _in_task(**values: Any) -> Callable[[dict[str, torch.Tensor], dict[str, Any]], None]:
    return lambda tensors, metadata: metadata["task_config"].update(values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_named("format", 2), "the generator is of format 2, and this version reads 1"),
        (_named("task_config", None), "does not say of which task it is"),
        (_named("task_config", {"kind": "chess"}), "unknown task 'chess'"),
        (_named("task_config", {"kind": "images", "own": "x.py", "structures": []}), "need the Python file|images"),
        (_in_config(kind="gan"), "of the kind 'gan', which this version does not know"),
        (_named("config", 7), "of the kind None"),
        (_in_config(width=65_536), "does not fit its configuration"),
        (_named("features", 2**40), "does not fit its configuration|damaged"),
        (_in_config(width="wide"), "damaged one"),
        (_in_task(hidden=9), "for tokens of 9 numbers .* the task's have 10"),
        (_in_task(hidden=100_000), "have 10,.* weights \\(at most"),
        (lambda tensors, metadata: metadata.pop("digest"), "damaged one"),
        (lambda tensors, metadata: tensors.pop("network.out.bias"), "does not fit its configuration"),
    ],
)
def test_files_that_say_something_else_are_one_line(
    source: Path, change: Callable[[dict[str, torch.Tensor], dict[str, Any]], None], message: str
) -> None:
    source.write_bytes(changed(source.read_bytes(), change))
    with pytest.raises(ZoogenError, match=message) as error:
        made(source)
    assert str(error.value).startswith(str(source)) and "\n" not in str(error.value)
    assert not (source.parent / "root").exists()


def test_other_files_are_one_line(make_study: MakeStudy, source: Path, tmp_path: Path) -> None:
    study = make_study()
    for stage in (stages.build_zoo, stages.train_autoencoder):
        stage(study)
    (autoencoder,) = (tmp_path / "artifacts" / "autoencoders").iterdir()
    weights, _ = made(source)
    truncated, flipped, text = (tmp_path / f"{name}.safetensors" for name in ("truncated", "flipped", "text"))
    data = source.read_bytes()
    truncated.write_bytes(data[:-9])
    flipped.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    text.write_text("no such thing")
    for path in (autoencoder, weights.path, truncated, flipped, text):
        with pytest.raises(ZoogenError, match="is no generator file, or a damaged one") as error:
            made(path)
        assert "\n" not in str(error.value)
    for name, message in (
        ("nowhere", "No such file"), ("artifacts", "directory"), ("/dev/zero", "a device or pipe"),
    ):  # fmt: skip
        with pytest.raises(ZoogenError, match=message):
            made(tmp_path / name)


def test_a_generator_of_before_is_read_by_its_study_alone(make_study: MakeStudy, tmp_path: Path) -> None:
    """Its artifact says neither format nor task: the study uses it as it is, and a file alone cannot."""
    study = make_study()
    for stage in (stages.build_zoo, stages.train_autoencoder, stages.train_generator):
        stage(study)
    (path,) = (tmp_path / "artifacts" / "generators").iterdir()

    def older(tensors: dict[str, torch.Tensor], metadata: dict[str, Any]) -> None:
        del metadata["format"], metadata["task_config"]

    path.write_bytes(changed(path.read_bytes(), older))
    assert stages.train_generator(make_study()).reused
    (file,) = generate(make_study(), "E*", 2, 0, None)
    assert file.path.exists()
    with pytest.raises(ZoogenError, match="does not say of which task it is .* give the study's CONFIG"):
        made(path, "E*")


def test_a_configuration_that_is_larger_than_its_file_is_not_built(make_study: MakeStudy, tmp_path: Path) -> None:
    study = make_study()
    for stage in (stages.build_zoo, stages.train_autoencoder, stages.train_generator):
        stage(study)
    (path,) = (tmp_path / "artifacts" / "generators").iterdir()
    data = path.read_bytes()
    huge = {**json.loads(json.dumps(TINY["generator"])), "kind": "diffusion"}
    huge["denoiser"]["embedding"] = 2**40
    for change in (_named("condition", 2**50), _in_config(**huge)):
        with pytest.raises(ZoogenError):
            LatentWeightGenerator.from_bytes(changed(data, change))
