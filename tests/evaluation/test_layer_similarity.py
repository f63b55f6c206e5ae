"""Pairs of networks, layer by layer: who is compared with whom, and what is recorded."""

from collections.abc import Mapping

import pytest
import torch
from tests.fakes import FakeTask
from torch import Tensor

from zoogen.errors import ZoogenError
from zoogen.evaluation.cka import cka
from zoogen.evaluation.layer_similarity import (
    Networks,
    Similarity,
    compare_policies,
    compare_vision,
    count_parameters,
)
from zoogen.evaluation.layer_similarity_config import SimilarityConfig, VisionConfig
from zoogen.evaluation.machine import describe_environment
from zoogen.evaluation.result import Inputs
from zoogen.evaluation.vision import load_digits, vision_net
from zoogen.networks.vision_config import ResnetConfig, TransformerConfig
from zoogen.seal import sealed_json
from zoogen.training.config import AdamWConfig, LoopConfig

NETS = (ResnetConfig(depths=(1,), widths=(4,)), ResnetConfig(depths=(2,), widths=(4,)))
TRANSFORMERS = (TransformerConfig(width=8, layers=1, heads=1), TransformerConfig(width=8, layers=2, heads=2))
LOOP = LoopConfig(iterations=5, batch_size=16)
CONFIG = SimilarityConfig(inputs=30, vision=VisionConfig(resnets=NETS, transformers=TRANSFORMERS, loop=LOOP))


class Linear(FakeTask):
    """Layer `in` is the two inputs, layer `out` the linear map of them."""

    def activations(
        self, structure: str, weights: Tensor, count: int, seed: int, device: str = "cpu"
    ) -> Mapping[str, Tensor]:
        inputs = torch.randn(count, 2, generator=torch.Generator().manual_seed(seed)).expand(len(weights), -1, -1)
        tensors = self.layout(structure).unflatten(weights)
        outputs = inputs @ tensors["dense1.weight"].transpose(1, 2) + tensors["dense1.bias"][:, None]
        return {"in": inputs, "out": outputs}


def networks(structure: str, count: int, seed: int = 0) -> Networks:
    return Networks(structure, "trained", FakeTask().untrained(structure, count, seed))


def test_the_kth_network_is_compared_with_the_kth() -> None:
    task, first, second = Linear(), networks("3", 4), networks("5", 6, seed=1)
    pair = compare_policies(task, "policies", first, second, CONFIG)
    assert (pair.first, pair.second, pair.networks) == ("F3 trained", "F5* trained", 4)
    assert pair.first_layers == pair.second_layers == ("in", "out")
    a = task.activations("3", first.weights, 30, CONFIG.seed)
    b = task.activations("5", second.weights, 30, CONFIG.seed)
    each = torch.stack([cka(a["in"][k], b["out"][k]) for k in range(4)])
    assert pair.values[0][1] == pytest.approx(each.mean().item())
    assert pair.spread[0][1] == pytest.approx(each.std(correction=0).item())
    assert pair.values[0][0] == pytest.approx(1) and pair.spread[0][0] == pytest.approx(0, abs=1e-7)
    cells = torch.tensor(pair.values, dtype=torch.float64)
    assert pair.mean == pytest.approx(cells.mean().item())
    assert pair.variance == pytest.approx(cells.var(correction=0).item())


def test_shifted_pairs_are_of_other_runs() -> None:
    task, own = Linear(), networks("4", 3)
    same = compare_policies(task, "same structure", own, own, CONFIG)
    other = compare_policies(task, "same structure", own, own, CONFIG, shift=1)
    assert same.values[1][1] == pytest.approx(1)
    assert other.values[1][1] < 0.999 and other.second == "F4 trained, other runs"
    out = task.activations("4", own.weights, 30, CONFIG.seed)["out"]
    expected = sum(cka(out[k], out[(k + 1) % 3]).item() for k in range(3)) / 3
    assert other.values[1][1] == pytest.approx(expected)


def test_no_more_networks_than_asked_for() -> None:
    few = CONFIG.model_copy(update={"networks": 2})
    assert compare_policies(Linear(), "policies", networks("3", 4), networks("4", 4), few).networks == 2


def test_a_task_without_activations_says_so() -> None:
    with pytest.raises(ZoogenError, match="the task fake tells no activations"):
        compare_policies(FakeTask(), "policies", networks("3", 2), networks("4", 2), CONFIG)


def test_vision_networks_are_compared_trained_and_untrained_and_repeat() -> None:
    pairs, nets = compare_vision(CONFIG)
    assert [(p.group, len(p.first_layers), len(p.second_layers)) for p in pairs] == [
        ("vision", 1, 2),
        ("vision", 1, 2),
        ("untrained vision", 1, 2),
        ("untrained vision", 1, 2),
    ]
    assert [net.title for net in nets] == [c.title for c in (*NETS, *TRANSFORMERS)]
    assert all(0 <= value <= 1 + 1e-9 for pair in pairs for row in pair.values for value in row)
    again, _ = compare_vision(CONFIG)
    assert again == pairs
    assert compare_vision(CONFIG.model_copy(update={"vision": None})) == ([], [])


def test_training_teaches_the_digits_that_were_held_out() -> None:
    digits = load_digits(0.3, seed=0)
    assert digits.images.shape[1:] == (1, 32, 32) and len(digits.images) + len(digits.held_out_images) == 1797
    config = ResnetConfig(depths=(1, 1, 1), widths=(8, 16, 32))
    loop = LoopConfig(iterations=80, batch_size=32, optimiser=AdamWConfig(lr=5e-3))
    before, after = (vision_net(config, loop_, digits, seed=0) for loop_ in (None, loop))
    assert before.accuracy < 0.3 and after.accuracy > 0.7 and before.seconds == 0 < after.seconds


def test_parameters_of_every_structure_and_of_the_published_resnets() -> None:
    task = FakeTask()
    counts = {count.label: count for count in count_parameters([task.target("3"), task.target("4")])}
    assert (counts["F3"].parameters, counts["F3"].one_output_less) == (9, 6)
    assert (counts["ResNet-18"].parameters, counts["ResNet-34"].parameters) == (11_689_512, 21_797_672)


def test_the_record_survives_json() -> None:
    pair = compare_policies(Linear(), "policies", networks("3", 2), networks("4", 2), CONFIG)
    whole = Similarity(
        inputs=Inputs(study="s"),
        task={"kind": "fake"},
        config=CONFIG,
        pairs=(pair,),
        environment=describe_environment(),
    )
    assert Similarity.from_json(whole.to_json()) == whole
    with pytest.raises(ZoogenError, match="here is damaged .it is no Similarity: pairs"):
        Similarity.from_json(sealed_json({"inputs": {}, "task": {}, "config": {}, "environment": {"date": ""}}), "here")
