"""The source generator as an artifact, and what its draws are."""

import pytest
import torch
from tests.generators.source.grids import TASK, TAUGHT, source_config

from zoogen.errors import ZoogenError
from zoogen.generators.source import generator as module
from zoogen.generators.source.generator import SourceWeightGenerator
from zoogen.generators.source.train import train_source_generator
from zoogen.generators.stored import read_generator
from zoogen.tasks.hypergrid.config import HypergridConfig
from zoogen.tasks.hypergrid.task import HypergridTask


@pytest.fixture(scope="module")
def made() -> SourceWeightGenerator:
    return train_source_generator(source_config(20), TASK, TAUGHT, seed=0, digest="abc")


def test_a_seed_means_the_same_networks_and_every_draw_is_another(made: SourceWeightGenerator) -> None:
    target = TASK.target("4^2")
    weights = made.generate(target, 5, seed=3)
    assert weights.shape == (5, target.layout.size) and weights.isfinite().all()
    assert torch.equal(weights, made.generate(target, 5, seed=3))
    torch.testing.assert_close(weights[:2], made.generate(target, 2, seed=3))
    assert not torch.equal(weights, made.generate(target, 5, seed=4))
    assert float(torch.pdist(weights).min()) > 0.1 * float(weights.norm(dim=1).mean())


def test_chunks_change_nothing_but_memory(made: SourceWeightGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    target = TASK.target("3^3")
    whole = made.generate(target, 7, seed=0)
    monkeypatch.setattr(module, "_CHUNK_NUMBERS", 1)
    torch.testing.assert_close(made.generate(target, 7, seed=0), whole)


def test_a_fixed_source_makes_one_network_per_structure() -> None:
    made = train_source_generator(source_config(5, draws="fixed"), TASK, TAUGHT, seed=0)
    weights = made.generate(TASK.target("4^2"), 3, seed=0)
    assert len(weights.unique(dim=0)) == 1
    assert torch.equal(weights, made.generate(TASK.target("4^2"), 3, seed=1))
    weights[0] += 1  # rows of their own memory
    assert len(weights.unique(dim=0)) == 2


def test_bytes_round_trip_with_and_without_a_task(made: SourceWeightGenerator) -> None:
    target = TASK.target("4^2")
    for task in (None, TASK):
        again = read_generator(made.to_bytes(), task)
        assert isinstance(again, SourceWeightGenerator) and again.codec is None
        assert torch.equal(again.generate(target, 2, seed=0), made.generate(target, 2, seed=0))
        assert again.to_bytes() == made.to_bytes()
        assert (again.digest, again.config, list(again.structures)) == ("abc", made.config, list(TAUGHT))


def test_what_it_cannot_make_is_one_line(made: SourceWeightGenerator) -> None:
    with pytest.raises(ZoogenError, match="ask for at least 1"):
        made.generate(TASK.target("4^2"), 0, seed=0)
    with pytest.raises(ZoogenError, match="has 13 dimensions, the coordinates of a policy's weights tell at most 12"):
        made.generate(TASK.target("2^13"), 1, seed=0)
    wider = HypergridTask(HypergridConfig(hidden=9))
    with pytest.raises(ZoogenError, match="for tokens of 9 numbers .* the task's have 10"):
        read_generator(made.to_bytes(), wider).generate(wider.target("4^2"), 1, seed=0)
