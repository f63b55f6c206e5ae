"""Whatever a user gets wrong is one line that says what, where and what to do; nothing half-written stays."""

import json
import socket
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tests.cli.conftest import Run

from zoogen.cli import main

CONFIG = """
study: bad-input
artifacts: {root}
task: {{training: {{iterations: 20, checkpoints: 2}}, judge: {{samples: 50}}}}
zoo: {{structures: [E*], runs: 2, validation_runs: 0, test_runs: 1, cohort: 4}}
ray: null

tracking: {{kind: none}}
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "study.yaml"
    path.write_text(CONFIG.format(root=tmp_path / "artifacts"))
    return str(path)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("zoo.rusn=8", "unknown key zoo.rusn (did you mean runs?)"),
        ("autoencodr.latent=8", "did you mean autoencoder?"),
        ("zoo.runs=many", "zoo.runs: "),
        ("zoo.runs=0", "zoo.runs: "),
        ("seed=-1", "seed: "),
        ("study=../x", "study: "),
        ("device=gpu", "'auto', 'cpu' or 'cuda'"),
        ("generator.sampler.steps=5000", "sampler.steps 5000 exceeds timesteps 1000"),
        ("zoo.structures=[0^3]", "impossible structure"),
        ("zoo.structures=['5,0']", "impossible structure"),
        ("zoo.structures=['1^3']", "impossible structure"),
        ("zoo.structures=[E*, '2^2']", "twice"),
        ("zoo.structures=[Q]", "unknown structure 'Q'"),
        ("zoo", "not of the form key.sub=value"),
    ],
)
def test_configuration(failing: Run, config: str, override: str, expected: str) -> None:
    assert expected in failing("pipeline", config, override)


def test_missing_configuration(failing: Run) -> None:
    assert "nowhere.yaml" in failing("pipeline", "nowhere.yaml")


def test_unknown_command_option_and_missing_argument(failing: Run, config: str) -> None:
    assert "build-zoo" in failing("bild-zoo", config)
    assert "--cuont" in failing("generate", config, "--cuont", "3")
    assert "CONFIG" in failing("pipeline")
    assert "--weights" in failing("evaluate")
    assert "--structure" in failing("generate", config, "--out", "x.safetensors")
    assert "'--count'" in failing("generate", config, "--count", "0")


def test_stage_names_the_command_that_makes_its_input(failing: Run, config: str) -> None:
    assert f"`zoogen train-autoencoder {config} seed=1`" in failing("train-generator", config, "seed=1")
    assert f"`zoogen train-generator {config}`" in failing("evaluate", config)
    assert f"`zoogen train-generator {config}`" in failing("generate", config, "--structure", "E*")
    assert "zoogen build-zoo" in failing("train-autoencoder", config)


def test_no_cuda_device(failing: Run, config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "device=cuda" in failing("train-autoencoder", config, "device=cuda")


def test_artifact_root_that_is_a_file(failing: Run, config: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "file" in failing("build-zoo", config, f"artifacts={tmp_path}/file/below")


def test_unwritable_artifact_root(failing: Run, config: str) -> None:
    assert "/proc/zoogen" in failing("build-zoo", config, "artifacts=/proc/zoogen")


def test_malformed_and_unreachable_uris(failing: Run, config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "ftp://" in failing("build-zoo", config, "artifacts=ftp://somewhere/x")
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",  # the discard port: nobody answers
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    assert "s3://nobody/x" in failing("build-zoo", config, "artifacts=s3://nobody/x", begun=True)


def test_no_ray_cluster_at_the_address(failing: Run, config: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]  # bound but not listening: nobody answers
        message = failing("build-zoo", config, f"ray={{address: '127.0.0.1:{port}'}}")
    assert f"no Ray cluster answers at 127.0.0.1:{port}" in message
    assert "no address" in failing("build-zoo", config, "ray={address: nonsense}")


def test_no_mlflow_server_at_the_address(failing: Run, config: str) -> None:
    message = failing("build-zoo", config, "tracking={kind: mlflow, uri: 'http://127.0.0.1:9'}")
    assert "http://127.0.0.1:9" in message and "tracking.uri" in message


def test_occupied_port_and_no_runs_yet(failing: Run, config: str, tmp_path: Path) -> None:
    assert "run `zoogen pipeline` first" in failing("ui", config, "tracking.kind=mlflow")
    assert "tracking.kind" in failing("ui", config)
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts" / "mlflow.db").touch()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        message = failing("ui", config, "tracking.kind=mlflow", "--port", str(port))
    assert f"port {port} on 127.0.0.1" in message and "--port" in message


def test_too_many_states_for_the_exact_judge_is_a_notice(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "nets.safetensors", tmp_path / "out.json"
    save_file(weights_of_e_star(), path)
    arguments = ["evaluate", config, "task.judge.memory_gib=1e-9", "--weights", str(path), "--json", str(out)]
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 0
    judgement = json.loads(out.read_text())
    assert "exact" not in judgement and len(judgement["sampled"]["js"]) == 3
    assert "task.judge.memory_gib" in judgement["notices"][0]
    assert "task.judge.memory_gib" in capsys.readouterr().out


def weights_of_e_star(count: int = 3) -> dict[str, torch.Tensor]:
    shapes = {"dense1": (32, 4), "dense2": (32, 32), "dense3": (3, 32)}
    weights = {f"{name}.weight": torch.zeros(count, *shape) for name, shape in shapes.items()}
    return weights | {f"{name}.bias": torch.zeros(count, shape[0]) for name, shape in shapes.items()}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"dense2.weight": torch.zeros(3, 32, 31)}, "dense2.weight"),
        ({"dense2.weight": torch.zeros(2, 32, 32)}, "different numbers of networks"),
        ({"dense2.bias": torch.full((3, 32), float("nan"))}, "nan"),
        ({"dense1.weight": torch.full((3, 32, 4), float("inf"))}, "inf"),
        ({"dense4.weight": torch.zeros(3, 2, 2)}, "dense4.weight"),
        ({"dense1.weight": torch.zeros(3, 32, 5)}, "no hypergrid"),
        ({"dense3.bias": torch.zeros(3, 3, dtype=torch.int64)}, "floating point"),
    ],
)
def test_weights_files(failing: Run, tmp_path: Path, change: dict[str, torch.Tensor], expected: str) -> None:
    path = tmp_path / "nets.safetensors"
    save_file(weights_of_e_star() | change, path)
    message = failing("evaluate", "--weights", str(path), "--json", str(tmp_path / "out.json"))
    assert expected in message and "nets.safetensors" in message


def test_weights_file_of_another_task_and_broken_metadata(failing: Run, tmp_path: Path, config: str) -> None:
    path = tmp_path / "nets.safetensors"
    save_file(weights_of_e_star(), path, metadata={"task": "images"})
    assert "images" in failing("evaluate", "--weights", str(path))
    assert "images" in failing("evaluate", config, "--weights", str(path))
    save_file(weights_of_e_star(), path, metadata={"task_config": "{"})
    assert "task_config" in failing("evaluate", "--weights", str(path))
    save_file(weights_of_e_star(), path, metadata={"structure": "B*"})
    assert "nets.safetensors" in failing("evaluate", "--weights", str(path))


def test_weights_file_that_is_none(failing: Run, tmp_path: Path, config: str) -> None:
    assert "study.yaml is not a safetensors file" in failing("evaluate", "--weights", config)
    assert "nowhere" in failing("evaluate", "--weights", str(tmp_path / "nowhere.safetensors"))


def test_unwritable_json(failing: Run, tmp_path: Path) -> None:
    path = tmp_path / "nets.safetensors"
    save_file(weights_of_e_star(), path)
    assert "/proc/out.json" in failing("evaluate", "--weights", str(path), "--json", "/proc/out.json")


def test_json_without_weights_and_overrides_without_configuration(failing: Run, config: str, tmp_path: Path) -> None:
    assert "--weights" in failing("evaluate", config, "--json", "out.json")
    path = tmp_path / "nets.safetensors"
    save_file(weights_of_e_star(), path)
    assert "CONFIG" in failing("evaluate", "task.judge.samples=3", "--weights", str(path))


def test_interrupt_is_one_line(failing: Run, config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("zoogen.commands.run.open_study", interrupt)
    assert "interrupted" in failing("pipeline", config, status=130)


def test_the_command_in_a_message_is_whole_however_long(failing: Run, config: str, tmp_path: Path) -> None:
    root = tmp_path / ("long-" * 40) / ("name-" * 30)
    message = failing("build-zoo", config, "tracking={kind: mlflow, uri: 'http://127.0.0.1:9'}", f"artifacts={root}")
    assert f"--backend-store-uri sqlite:///{root}/mlflow.db --artifacts-destination {root}/mlartifacts`" in message
