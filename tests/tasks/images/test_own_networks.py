"""One's own networks that are unlike the package's: what cannot be batched, shared tensors, odd normalisation."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.tasks.images.small import RUNS, by_hand, cohort, made
from torch.nn.functional import cross_entropy

from zoogen.errors import ZoogenError
from zoogen.tasks.images.structure import images_of
from zoogen.tasks.images.task import ImagesTask
from zoogen.tasks.records import CohortSpec, FineTuneSpec

OWN = "own@digits"
NETWORK = """
import torch
from torch import nn
from torch.nn.functional import dropout

size = 8


class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.first, self.second = nn.Linear(64, 64), nn.Linear(64, 64)
        self.norm = {norm}
        self.head = nn.Linear(64, classes)
        {init}

    def forward(self, images):
        hidden = self.norm(self.second(self.first(images.flatten(1)).relu())).relu()
        {forward}


def network(channels, size, classes):
    return Net(classes)
"""
PLAIN = "return self.head(hidden)"
BRANCH = "return self.head(hidden if self.head.bias.sum() > 0 else -hidden)"
DROPOUT = "return self.head(dropout(hidden, 0.5, self.training))"
TIED = "self.second.weight = self.first.weight"


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def own(forward: str = PLAIN, init: str = "pass", norm: str = "nn.Identity()", **config: Any) -> ImagesTask:
    Path("mine.py").write_text(NETWORK.format(norm=norm, init=init, forward=forward))
    return made(own="mine.py", **config)


@pytest.mark.parametrize("start", ["trunk", "scratch"])
@pytest.mark.parametrize(
    "network",
    [
        {"forward": BRANCH},
        {"forward": DROPOUT},
        {"init": TIED},
        {"norm": "nn.BatchNorm1d(64)", "statistics": "regenerated"},
        {"norm": "nn.BatchNorm1d(64)", "statistics": "recalibrated", "forward": BRANCH},
    ],
)
def test_they_are_trained_and_judged(network: dict[str, Any], start: str) -> None:
    task = own(**network, start=start)
    weights = cohort(task, OWN)
    assert weights.shape == (6, task.layout(OWN).size) and bool(weights.isfinite().all())
    assert not torch.equal(weights[2], weights[5])
    for split in ("test", "validation"):
        found = task.score(OWN, weights)
        for k, (logits, labels) in enumerate(by_hand(task, OWN, weights, split)):
            assert found.metric(f"{split}.error")[k] == (logits.argmax(1) != labels).double().mean()
            loss = cross_entropy(logits, labels).double()
            torch.testing.assert_close(found.metric(f"{split}.loss")[k], loss, rtol=1e-3, atol=1e-4)
    tuned = task.fine_tune(FineTuneSpec(OWN, (1, 2), (1, 2)), weights[:2])
    assert bool(tuned.weights.isfinite().all())


def test_whole_networks_hold_shared_tensors_twice() -> None:
    task = own(init=TIED)
    weights = cohort(task, OWN)
    whole = task.complete(OWN, weights)
    assert "second.weight" not in task.layout(OWN).shapes
    assert torch.equal(whole["second.weight"], whole["first.weight"])


def test_what_cannot_be_stacked_is_said() -> None:
    for forward, start in ((BRANCH, "trunk"), (DROPOUT, "scratch")):
        task = own(forward=forward, mode="stacked", start=start)
        with pytest.raises(ZoogenError, match="these networks cannot be trained in batched passes.*task.mode to auto"):
            task.train_cohort(CohortSpec(task.resolved_for(OWN), OWN, RUNS))


def test_statistics_that_no_vector_holds_need_a_trunk() -> None:
    norm = "nn.BatchNorm1d(64, affine=False)"
    for statistics in ("regenerated", "recalibrated"):
        with pytest.raises(ZoogenError, match="norm.running_mean of own@digits is neither generated nor taken anew"):
            own(norm=norm, statistics=statistics, start="scratch").layout(OWN)
        assert own(norm=norm, statistics=statistics).layout(OWN).size


def test_shapes_are_those_of_the_structure_whatever_the_seed() -> None:
    task = own(init="self.more = nn.Linear(1 + int(torch.initial_seed() > 0), 1)")
    with pytest.raises(ZoogenError, match="differs between two calls, first in more.weight; shapes must be the same"):
        task.prepare(OWN)


@pytest.mark.parametrize(("shape", "given", "channels"), [((8, 8, 3), "", 3), ((8, 8), "", 1), ((3, 8, 8), "1", 1)])
def test_networks_take_the_channels_of_ones_own_images(shape: tuple[int, ...], given: str, channels: int) -> None:
    text = "import numpy as np\n\ncalls = []\n\ndef data():\n    calls.append(1)\n    assert len(calls) == 1\n"
    text += f"    return np.random.default_rng(0).random((40, *{shape})), np.arange(40) % 2\n"
    Path("mine.py").write_text(text + (f"channels = {given}\n" if given else ""))
    task = made(own="mine.py")
    assert task.classifier("mlp-mini@own").channels == images_of(task.config, "mlp-mini@own").channels == channels
