"""Environments are a list of names: nothing else that a configuration or a file says is ever called."""

import sys
import types
from typing import Any

import pytest

from zoogen.errors import ZoogenError
from zoogen.tasks.torchgfn.config import TorchgfnConfig
from zoogen.tasks.torchgfn.environments import ALLOWED_VARIABLE, ENVIRONMENTS, excess, make_environment
from zoogen.tasks.torchgfn.task import TorchgfnTask

gym = pytest.importorskip("gfn.gym")

CALLED: list[str] = []


def start_a_program(**_: Any) -> None:
    CALLED.append("program")


class NoEnvironment:
    def __init__(self, **_: Any) -> None:
        CALLED.append("class")


@pytest.fixture
def own_module(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("own_environments")
    from gfn.gym import HyperGrid

    module.Mine = type("Mine", (HyperGrid,), {"__module__": module.__name__})  # type: ignore[attr-defined]
    module.start_a_program = start_a_program  # type: ignore[attr-defined]
    module.NoEnvironment = NoEnvironment  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)


def everything_below_gym() -> list[str]:
    """All that modules of torchgfn's gym hold and that can be called."""
    names = []
    for module_name in sorted(name for name in sys.modules if name == "gfn.gym" or name.startswith("gfn.gym.")):
        for name, value in vars(sys.modules[module_name]).items():
            if callable(value):
                names.append(f"{module_name}:{name}")
    return names


def test_whatever_is_not_on_the_list_is_not_called() -> None:
    names = everything_below_gym()
    assert "gfn.gym.chip_design:ChipDesign" in names and len(names) > 100
    known = {*ENVIRONMENTS, *(f"gfn.gym:{name.partition(':')[2]}" for name in ENVIRONMENTS)}
    for name in names:
        if name not in known:
            with pytest.raises(ZoogenError, match="is none of|is no name"):
                make_environment(name, {})
    for name in known:  # the list itself is right: whatever it holds, these arguments lack or fit
        try:
            assert make_environment(name, {"ndim": 2, "height": 8}).n_actions > 1
        except ZoogenError as error:
            assert "does not accept" in str(error)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("os:system", "is none of"),
        ("gfn.gym.helpers.chip_design.utils:optimize_using_fd", "is none of"),
        ("gfn.gym.hypergrid:itertools", "is none of"),
        ("gfn.gym.hypergrid.HyperGrid", "is no name"),
        ("gfn.gym:" + "x" * 5_000, "is none of"),
        ("", "is no name"),
    ],
)
def test_other_names_are_refused_in_one_short_line(name: str, message: str) -> None:
    with pytest.raises(ZoogenError, match=message) as caught:
        make_environment(name, {})
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_names_of_ones_own_are_classes_of_environments(own_module: None, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"own_environments:{name}" for name in ("Mine", "start_a_program", "NoEnvironment", "absent")]
    with pytest.raises(ZoogenError, match=f"{ALLOWED_VARIABLE} names others"):
        make_environment(names[0], {"ndim": 2, "height": 8})
    monkeypatch.setenv(ALLOWED_VARIABLE, ", ".join(names))
    assert make_environment(names[0], {"ndim": 2, "height": 8}).n_actions == 3
    for name, message in zip(names[1:], ["is no class", "is no class", "there is no environment"], strict=True):
        with pytest.raises(ZoogenError, match=message):
            make_environment(name, {})
    assert not CALLED


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ndim": 400, "height": 400}, "product exceeds 50,000"),
        ({"ndim": 2, "height": 10**400}, "product exceeds 50,000"),
        ({"ndim": 2, "height": 8, "store_all_states": True}, "with store_all_states"),
        ({"ndim": 2, "height": 8, "mode_stats": "exact"}, "with mode_stats"),
        ({"singularity_image": "/tmp/program"}, "no number or short name"),
        ({"reward_fn_str": "../x"}, "no number or short name"),
        ({"reward_fn_kwargs": {"a": [["/bin/sh"]]}}, "no number or short name"),
    ],
)
def test_what_a_file_may_ask_for_is_bounded(arguments: dict[str, Any], message: str) -> None:
    assert excess("gfn.gym:HyperGrid", {"ndim": 2, "height": 8, "validate_modes": False, "seed": 10**9}) == ""
    said = excess("gfn.gym:HyperGrid", arguments)
    assert message in said


@pytest.mark.parametrize(
    "config",
    [
        {"samples": 10**12},
        {"samples": 10**18},
        {"exact_states": 10**12},
        {"network": {"hidden": 10**9}},
        {"network": {"hidden_layers": 99}},
    ],
)
def test_judging_by_a_files_word_is_bounded(config: dict[str, Any]) -> None:
    assert "at most" in TorchgfnTask(TorchgfnConfig(**config)).excess("8x2")
    assert TorchgfnTask(TorchgfnConfig()).excess("8x2") == ""
