"""Weights files of networks that are more than what is generated, and the notices of trained artifacts."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.studies import MakeStudy
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.pipelines import stages
from zoogen.pipelines.generating import generate
from zoogen.pipelines.weight_files import judge_file
from zoogen.tasks.base import Assets
from zoogen.tasks.hypergrid.task import HypergridTask
from zoogen.weights.files import read_weights
from zoogen.zoo.plan import structure_key


def test_whole_networks_hold_what_is_not_generated_too(
    make_study: MakeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stages.pipeline(make_study())
    said = capsys.readouterr().err
    assert "notice: autoencoder: " not in said, "enough checkpoints for its batches"
    parts, same, whole = (tmp_path / f"{name}.safetensors" for name in ("parts", "same", "whole"))
    generate(make_study(), "E*", 3, 0, str(parts))
    generate(make_study(), "E*", 3, 0, str(same), whole=True)
    assert parts.read_bytes() == same.read_bytes(), "nothing else is there"
    complete = HypergridTask.complete

    def with_counter(self: HypergridTask, structure: str, weights: Tensor, device: str = "cpu") -> dict[str, Tensor]:
        return {**complete(self, structure, weights), "norm.seen": torch.tensor(7).expand(len(weights))}

    monkeypatch.setattr(HypergridTask, "complete", with_counter)
    generate(make_study(), "E*", 3, 0, str(whole), whole=True)
    stored = load_file(whole)
    assert stored["norm.seen"].tolist() == [7, 7, 7] and stored["norm.seen"].dtype == torch.int64
    for name, tensor in read_weights(parts).tensors.items():
        assert torch.equal(stored[name], tensor)
    by_parts, by_whole = judge_file(str(parts)), judge_file(str(whole))
    assert by_whole["exact"] == by_parts["exact"]
    assert "not used: norm.seen (counters, statistics taken anew)" in by_whole["notices"]
    (named,) = generate(make_study(), "E*", 3, 0, None, whole=True)
    assert named.path.name.endswith("-count3-seed0-whole.safetensors")


def test_a_file_is_judged_where_the_rest_of_its_networks_lies(
    make_study: MakeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, path, whole = make_study(), tmp_path / "nets.safetensors", tmp_path / "whole.safetensors"
    stages.pipeline(study)
    generate(study, "E*", 3, 0, str(whole))
    metadata = HypergridTask.file_metadata
    monkeypatch.setattr(HypergridTask, "file_metadata", lambda *args: {**metadata(*args), "fixed": "0123"})
    generate(study, "E*", 3, 0, str(path))

    def prepared(self: HypergridTask, structure: str) -> bool:
        assets: Assets | None = self.assets
        return assets is not None and assets.exists(f"trunks/{structure_key(structure)}.bin")

    monkeypatch.setattr(HypergridTask, "prepared", prepared)
    for refused in (lambda: judge_file(str(path)), lambda: judge_file(str(path), assets=study.store)):
        with pytest.raises(ZoogenError, match=r"share is not under the artifact root; give the study's CONFIG"):
            refused()
    assert judge_file(str(whole))["count"] == 3, "a file that lacks nothing needs nothing"
    study.store.put_if_absent(f"trunks/{structure_key(study.task.canonical('E*'))}.bin", b"1")
    by_file, by_study = judge_file(str(path), assets=study.store), judge_file(str(path), study.task)
    assert by_file["exact"] == by_study["exact"]


def test_too_few_checkpoints_for_the_batch_are_noticed(
    make_study: MakeStudy, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = {"iterations": 2, "batch_size": 40, "log_every": 2}
    study = make_study(autoencoder={"latent": 8, "channels": [4, 8], "loop": loop})
    stages.build_zoo(study)
    stages.train_autoencoder(study)
    assert "notice: autoencoder: 18 checkpoints, batches of 40 repeat them" in capsys.readouterr().err
    stages.train_autoencoder(study)
    assert "notice" not in capsys.readouterr().err, "what is reused was told before"
