"""The code in the documentation runs as it stands."""

import re
from pathlib import Path

import pytest
import torch

from zoogen.tasks.hypergrid.config import HypergridConfig
from zoogen.tasks.hypergrid.interop import from_torchgfn
from zoogen.tasks.hypergrid.task import HypergridTask
from zoogen.weights.files import write_weights

DOCS = Path(__file__).parents[1] / "docs"


def code(page: str) -> str:
    """The one block of Python code of a page."""
    (block,) = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    return block


def test_a_weights_file_goes_on_in_torchgfn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    task = HypergridTask(HypergridConfig())
    weights = task.untrained("8^2", 2, seed=0)
    write_weights(tmp_path / "nets.safetensors", task.layout("8^2"), weights, task.file_metadata("8^2"))
    names: dict = {}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        exec(compile(code("policies.md"), "policies.md", "exec"), names)
    assert names["trajectories"].terminating_states.tensor.shape == (16, 2)
    trained = from_torchgfn(names["policy"].forward)
    assert 0 < (trained - weights[0]).abs().max() < 0.1, "twenty small steps from the file's first policy"
