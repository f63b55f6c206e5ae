"""The trunk as an asset: what names it, what it holds, and that it is made alike every time."""

import pytest
import torch
from safetensors.torch import load, save
from tests.flips import flipped_bits
from tests.tasks.images.rows import data
from torch import nn

from zoogen.errors import DamagedError, ZoogenError
from zoogen.tasks.images.config import ImagesConfig
from zoogen.tasks.images.training import loss_and_accuracy
from zoogen.tasks.images.trunk import make_trunk, read_trunk, state_digest, trunk_key


def fresh(seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))


def config(**settings: object) -> ImagesConfig:
    training = {"iterations": 40, "batch_size": 20, "optimiser": {"learning_rate": 0.01}}
    return ImagesConfig.model_validate({"training": training, **settings})


def test_is_a_trained_network_with_its_figures() -> None:
    trunk = read_trunk(make_trunk(config(), "net@rows", fresh, data()))
    module = fresh(1)
    module.load_state_dict(dict(trunk.state))
    for name in ("validation", "test"):
        expected = loss_and_accuracy(module, getattr(data(), name), "cpu")
        assert (trunk.loss[name], trunk.accuracy[name]) == pytest.approx(expected)
    assert trunk.accuracy["test"] > 0.8
    assert trunk.seconds > 0
    assert trunk.digest == state_digest(module.state_dict())


@pytest.mark.parametrize(("iterations", "rate"), [(40, 1e6), (1, 1e38)])
def test_divergence_is_told_even_of_the_last_step(iterations: int, rate: float) -> None:
    optimiser = {"kind": "sgd", "learning_rate": rate, "schedule": "constant", "momentum": 0, "weight_decay": 1e3}
    wild = config(training={"iterations": iterations, "batch_size": 20, "optimiser": optimiser})
    with pytest.raises(ZoogenError, match=r"the trunk of net@rows diverged.*lower task.training.optimiser"):
        make_trunk(wild, "net@rows", fresh, data())


def test_same_seed_same_trunk() -> None:
    digests = [read_trunk(make_trunk(config(seed=seed), "net@rows", fresh, data())).digest for seed in (0, 0, 1)]
    assert digests[0] == digests[1] != digests[2]


def test_begins_from_a_given_state() -> None:
    state = fresh(5).state_dict()
    untouched = config(training={"iterations": 0})
    trunk = read_trunk(make_trunk(untouched, "net@rows", fresh, data(), initial=state))
    assert trunk.digest == state_digest(state)
    assert read_trunk(make_trunk(config(), "net@rows", fresh, data(), initial=state)).digest != trunk.digest


OTHER_MAKING = {
    "data": {"size": 20},
    "pretrained": True,
    "initialisation": "kaiming-normal",
    "seed": 1,
    "own": "other.py",
    "own_source": "0123",
    "content": {"images": "0123"},
    "training": {"iterations": 601},
}
OTHER_COLLECTION = {
    "start": "scratch",
    "collection": {"iterations": 5},
    "subset": ["head.*"],
    "statistics": "regenerated",
    "condition": "data",
    "conditions": ["net@rows"],
    "judged_at_once": 3,
    "mode": "single",
}


def test_every_setting_is_either_of_the_trunk_or_not() -> None:
    assert {*OTHER_MAKING, *OTHER_COLLECTION, "kind"} == set(ImagesConfig.model_fields)


@pytest.mark.parametrize("name", OTHER_MAKING)
def test_another_making_is_another_trunk(name: str) -> None:
    other = ImagesConfig.model_validate({name: OTHER_MAKING[name]})
    assert key(other) != key(ImagesConfig())


@pytest.mark.parametrize("name", OTHER_COLLECTION)
def test_collection_does_not_change_the_trunk(name: str) -> None:
    other = ImagesConfig.model_validate({name: OTHER_COLLECTION[name]})
    assert key(other) == key(ImagesConfig())


def test_structure_and_sources_name_the_trunk() -> None:
    resolved = ImagesConfig().model_dump(mode="json")
    assert trunk_key(resolved, "net@rows") != trunk_key(resolved, "net@columns")
    assert trunk_key({**resolved, "source": "a"}, "net@rows") != trunk_key({**resolved, "source": "b"}, "net@rows")
    assert trunk_key(resolved, "net@rows").startswith("trunks/")


def key(settings: ImagesConfig) -> str:
    return trunk_key(settings.model_dump(mode="json"), "net@rows")


def test_no_flipped_bit_is_read() -> None:
    packed = make_trunk(config(training={"iterations": 0}), "net@rows", fresh, data(), key="trunks/a")
    assert read_trunk(packed, "trunks/a").digest
    for flipped in flipped_bits(packed, 60):
        with pytest.raises(DamagedError):
            read_trunk(flipped, "trunks/a")
    with pytest.raises(DamagedError, match="it is trunks/a"):
        read_trunk(packed, "trunks/b")


def test_damage_is_one_line() -> None:
    packed = make_trunk(config(training={"iterations": 0}), "net@rows", fresh, data())
    with pytest.raises(ZoogenError, match="the trunk is damaged"):
        read_trunk(packed[: len(packed) // 2])
    with pytest.raises(ZoogenError, match="the trunk is damaged"):
        read_trunk(save(load(packed)))
    changed = bytearray(packed)
    changed[-1] ^= 1
    with pytest.raises(ZoogenError, match="does not fit its seal"):
        read_trunk(bytes(changed))
