"""Stages' artifacts and records against flipped bits, lost ends and other names; what commands say of damaged ones."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tests.flips import reads_of_flipped
from tests.studies import MakeStudy

from zoogen.cli import main
from zoogen.errors import DamagedError
from zoogen.pipelines import stages
from zoogen.pipelines.context import Study
from zoogen.pipelines.digests import autoencoder_key, evaluation_key, generator_key
from zoogen.pipelines.results import read_evaluation
from zoogen.pipelines.stored import load_autoencoder, load_generator
from zoogen.weights.files import read_weights, write_weights

READ: dict[str, tuple[Callable[[Study], str], Callable[[Study], object]]] = {
    "autoencoder": (lambda s: autoencoder_key(s.autoencoder_digest), lambda s: load_autoencoder(s).to_bytes()),
    "generator": (lambda s: generator_key(s.generator_digest), lambda s: load_generator(s).to_bytes()),
    "evaluation": (
        lambda s: evaluation_key(s.evaluation_digest),
        lambda s: read_evaluation(s.store, s.evaluation_digest, None),
    ),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Artifacts of one study, made once."""
    return tmp_path_factory.mktemp("stored")


@pytest.fixture
def study(make_study: MakeStudy, root: Path) -> Study:
    study = make_study(artifacts=str(root))
    if not study.store.exists(evaluation_key(study.evaluation_digest)):
        stages.pipeline(study)
    return study


def path_of(study: Study, kind: str) -> Path:
    path = study.store.local_path_of(READ[kind][0](study))
    assert path is not None
    return path


@pytest.mark.parametrize("kind", READ)
def test_no_flipped_bit_is_read(study: Study, kind: str) -> None:
    path = path_of(study, kind)
    messages = reads_of_flipped(path, lambda: READ[kind][1](study), 20)
    assert len(messages) >= 19, "a flipped bit of white space, or of an exponent's letter, changes nothing"
    assert all(f"{path} is damaged (" in message and "makes it again" in message for message in messages)


@pytest.mark.parametrize("kind", READ)
@pytest.mark.parametrize("length", [0, 7, 100, -100])
def test_a_lost_end_is_told(study: Study, kind: str, length: int) -> None:
    path = path_of(study, kind)
    data = path.read_bytes()
    path.write_bytes(data[:length])
    try:
        with pytest.raises(DamagedError, match=path.name) as error:
            READ[kind][1](study)
        assert "\n" not in str(error.value)
    finally:
        path.write_bytes(data)


@pytest.mark.parametrize("kind", READ)
def test_anothers_artifact_is_not_ones_own(
    study: Study, make_study: MakeStudy, root: Path, tmp_path: Path, kind: str
) -> None:
    other = make_study(artifacts=str(tmp_path), seed=1)
    path_of(other, kind).parent.mkdir(parents=True)
    shutil.copy(path_of(study, kind), path_of(other, kind))
    with pytest.raises(DamagedError, match="it was written for|it is that of digest"):
        READ[kind][1](other)


def test_weights_files(study: Study, tmp_path: Path) -> None:
    target, path = study.targets[0], tmp_path / "nets.safetensors"
    write_weights(path, target.layout, torch.zeros(2, target.layout.size), {"structure": target.structure})
    read = lambda: {name: tensor.tolist() for name, tensor in read_weights(path).tensors.items()}  # noqa: E731
    assert len(reads_of_flipped(path, read, 60)) >= 58, "a seal whose name is changed is none"
    path.write_bytes(path.read_bytes().replace(b"F32", b"I32", 1))
    with pytest.raises(DamagedError, match=r"nets.safetensors is damaged \(its content does not fit its seal\)"):
        read_weights(path)


@pytest.mark.parametrize(
    ("kind", "command", "remedy"),
    [
        ("generator", ["generate", "CONFIG", "--structure", "E*", "--out", "x.safetensors"], "`zoogen train-generator"),
        ("generator", ["evaluate", "CONFIG", "evaluation.count=2"], "`zoogen train-generator"),
        ("autoencoder", ["train-generator", "CONFIG", "generator.loop.iterations=3"], "`zoogen train-autoencoder"),
        ("evaluation", ["report", "CONFIG"], "`zoogen evaluate`"),
    ],
)
def test_commands_say_it_in_one_line(
    study: Study,
    tiny_file: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    command: list[str],
    remedy: str,
) -> None:
    monkeypatch.chdir(tiny_file.parent)
    shutil.copytree(study.store.root or "", tiny_file.parent / "artifacts")
    path = tiny_file.parent / "artifacts" / READ[kind][0](study)
    path.write_bytes(path.read_bytes().replace(b"0", b"1", 1))
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main([str(tiny_file) if word == "CONFIG" else word for word in command])
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("zoogen: ")]
    assert ended.value.code == 2 and len(lines) == 1
    assert f"{path} is damaged (" in lines[0] and f"{remedy}" in lines[0] and "makes it again" in lines[0]
