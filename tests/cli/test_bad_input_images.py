"""Whatever a user gets wrong with classifiers of images is one line; what is half-written is told, not used."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, load_file, save_file
from tests.cli.conftest import Run, done

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("zoo.structures=[cnn-smal@digits]", "'cnn-smal'; the nearest are cnn-small"),
        ("zoo.structures=[digits]", "not of the form network@data"),
        ("zoo.structures=[cnn-small@mnst]", "'mnst'; did you mean mnist"),
        ("zoo.structures=['cnn-small@@digits']", "did you mean digits?"),
        ("zoo.structures=[own@digits]", "task.own"),
        ("zoo.structures=[resnet18-narrow@digits]|task.start=scratch", "task.statistics"),
        ("task.subset=[nothing.*]", "matches no parameter; the nearest are"),
        ("task.subset=[normalisations]", "no two normalisation layers"),
        ("task.start=scratch|task.subset=[linear2.*]", "or set subset to ['*']\n"),
        ("task.condition=index", "needs conditions, the structures in order\n"),
        ("task.condition=index|task.conditions=[mlp-mini@digits]", "add it there"),
        ("task.condition=index|task.conditions=[cnn-small@digits, CNN-Small@Digits]", "cnn-small@digits twice"),
        ("task.data.size=5", "set task.data.size to a larger edge"),
        ("task.data.size=20000", "task.data.size: "),
        ("evaluation.methods=[vae]", "evaluation.vae"),
        ("task.own=nowhere.py", "there is no file nowhere.py"),
        ("task.own=/etc/hostname", "/etc/hostname is not executed"),
    ],
)
def test_configuration(failing: Run, config: str, override: str, expected: str) -> None:
    assert expected in failing("build-zoo", config, *override.split("|"))


@pytest.mark.parametrize("root", ["nowhere", "empty", "wrong"])
def test_data_set_that_is_not_there(failing: Run, config: str, root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", lambda *_, **__: 1 / 0)  # no connection
    Path("empty/cifar100").mkdir(parents=True)
    Path("wrong/cifar100").mkdir(parents=True)
    Path("wrong/cifar100/train.parquet").write_text("no parquet")
    message = failing("build-zoo", config, "zoo.structures=[cnn-small@cifar100]", f"task.data.root={root}", begun=True)
    assert f"{root}/cifar100" in message
    assert (
        "set task.data.root" if root == "nowhere" else "Parquet files, or one folder of images per class"
    ) in message


def test_diverged_networks(failing: Run, config: str, capsys: pytest.CaptureFixture[str]) -> None:
    wild = ("task.training.optimiser.learning_rate=1e30", "task.training.optimiser.kind=sgd")
    message = failing("build-zoo", config, *wild, begun=True)
    assert "trunk of cnn-small@digits diverged" in message and "learning_rate" in message
    assert not list(Path("artifacts").rglob("trunks/*"))
    for stage in ("build-zoo", "train-autoencoder"):
        message = failing(stage, config, *wild, "task.start=scratch", begun=True)
        assert "diverged; lower the learning rate" in message


def test_damaged_artifacts_are_named(failing: Run, config: str, capsys: pytest.CaptureFixture[str]) -> None:
    done("build-zoo", config)
    done("train-autoencoder", config)
    done("train-generator", config)
    for pattern, stage, *overrides in (
        ("autoencoders/*", "train-generator", "generator.loop.iterations=3"),
        ("generators/*", "evaluate"),
    ):
        (file,) = Path("artifacts").glob(pattern)
        data = file.read_bytes()
        file.write_bytes(data[: len(data) // 2])
        message = failing(stage, config, *overrides, begun=True)
        assert f"{file.name} is damaged (" in message and "makes it again" in message and "`zoogen train-" in message
        file.write_bytes(data)
    (trunk,) = Path("artifacts").glob("trunks/*")
    data = trunk.read_bytes()
    trunk.write_bytes(data[: len(data) // 2])
    capsys.readouterr()
    done("evaluate", config)
    assert f"trunks/{trunk.name} is damaged (" in capsys.readouterr().err
    assert load_file(trunk).keys() == load(data).keys(), "it was made again"


def test_generating_for_what_was_not_learnt(failing: Run, config: str, capsys: pytest.CaptureFixture[str]) -> None:
    for stage in ("build-zoo", "train-autoencoder", "train-generator"):
        done(stage, config)
    assert "weights" in failing("generate", config, "--structure", "mlp-mini@digits", "--out", "x.safetensors")
    capsys.readouterr()
    done("generate", config, "--structure", "cnn-small@glyphs-0", "--count", "1", "--out", "x.safetensors")
    assert "notice: CNN-small@digits, CNN-small@glyphs-0 have equal conditions" in capsys.readouterr().err
    done("generate", config, "--structure", "cnn-small@digits", "--count", "1", "--out", "x.safetensors")
    assert "notice" not in capsys.readouterr().err
    tensors: dict[str, torch.Tensor] = load_file("x.safetensors")
    for metadata, expected in (
        ({"task_config": "{}"}, "names no kind of task"),
        ({"task_config": "["}, "is no JSON object"),
        ({"task": "images", "structure": "cnn-smal@digits"}, "the nearest are cnn-small"),
        ({"task": "images", "structure": "cnn-small@digits", "subset": "x"}, "no JSON list of patterns"),
        ({"task": "images", "structure": "mlp-mini@digits"}, "do not match"),
    ):
        save_file(tensors, "y.safetensors", metadata=metadata)
        message = failing("evaluate", "--weights", "y.safetensors")
        assert "y.safetensors" in message and expected in message


def test_files_of_networks_with_a_shared_rest(failing: Run, config: str, capsys: pytest.CaptureFixture[str]) -> None:
    subset = ("task.subset=[linear2.*]",)
    for stage in ("build-zoo", "train-autoencoder", "train-generator"):
        done(stage, config, *subset)
    done("generate", config, *subset, "--structure", "cnn-small@digits", "--count", "1", "--out", "x.safetensors")
    judge = ("evaluate", config, *subset, "--weights")
    save_file(load_file("x.safetensors"), "bare.safetensors")
    capsys.readouterr()
    done(*judge, "x.safetensors")
    assert "share beside it" not in capsys.readouterr().out
    done(*judge, "bare.safetensors")
    assert "notice: the file does not tell what its networks share beside it" in capsys.readouterr().out
    metadata = {"task": "images", "structure": "cnn-small@digits", "fixed": "0" * 16}
    save_file(load_file("x.safetensors"), "other.safetensors", metadata=metadata)
    assert "made for the trunk 0000000000000000 do not fit" in failing(*judge, "other.safetensors")
    for file in ("x.safetensors", "bare.safetensors"):
        message = failing(*judge, file, "artifacts=elsewhere")
        assert "is not under the artifact root" in message and file in message
    done("generate", config, *subset, "--structure", "cnn-small@digits", "--whole", "--out", "whole.safetensors")
    capsys.readouterr()
    done(*judge, "whole.safetensors")
    assert "tensors beside the weights are those of the trunk" in capsys.readouterr().out


def test_termination_while_a_trunk_is_trained(config: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "platform"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "zoogen.cli", "build-zoo", config, "task.training.iterations=1000000"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while "preparing" not in process.stderr.readline():
        assert process.poll() is None
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 143
    assert said.splitlines()[-1].startswith("zoogen: interrupted") and "Traceback" not in said
    assert not list(Path("artifacts").rglob("trunks/*"))
    done("build-zoo", config)
