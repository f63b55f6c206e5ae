"""The state of a training between two iterations."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from zoogen.errors import DamagedError, ZoogenError
from zoogen.weights.packing import pack, prefixed, section, unpack

M = TypeVar("M", bound=nn.Module)

_KIND = "training state"
_NUMBER, _GROUP_STEP = "number", "group.step"  # in the keys of an optimiser's state


@dataclass(frozen=True)
class TrainingState:
    """Everything that a training needs to go on as if it had never stopped.

    All randomness of iteration t of rank r is drawn from a generator seeded by (seed, r, t), so `seed` and `step`
    are the whole state of the random numbers, for any number of workers.

    Attributes:
        step: iterations done.
        seed: seed of the training.
        fingerprint: digest of the loop's configuration; a state resumes only what it came from.
        model: state dict of the module that is trained.
        average: averaged parameters in the order of `parameters()`; empty without averaging.
        optimiser: moments by `<parameter index>.<moment>`.
        history: logged figures so far, one mapping per log.
    """

    step: int
    seed: int
    fingerprint: str
    model: Mapping[str, Tensor]
    average: tuple[Tensor, ...] = ()
    optimiser: Mapping[str, Tensor] = field(default_factory=dict)
    history: tuple[Mapping[str, float], ...] = ()

    def to_bytes(self) -> bytes:
        """Safetensors with JSON metadata."""
        tensors = prefixed("model", self.model) | prefixed("optimiser", self.optimiser)
        tensors |= prefixed("average", {str(index): tensor for index, tensor in enumerate(self.average)})
        metadata: dict[str, Any] = {"step": self.step, "seed": self.seed, "fingerprint": self.fingerprint}
        return pack(_KIND, tensors, metadata | {"history": [dict(figures) for figures in self.history]})

    @classmethod
    def from_bytes(cls, data: bytes) -> "TrainingState":
        """The state of a byte string made by `to_bytes`.

        Raises:
            DamagedError: damaged data, or data of another kind.
        """
        tensors, metadata = unpack(_KIND, data)
        average = section("average", tensors)
        try:
            return cls(
                step=int(metadata["step"]),
                seed=int(metadata["seed"]),
                fingerprint=str(metadata["fingerprint"]),
                model=section("model", tensors),
                average=tuple(average[str(index)] for index in range(len(average))),
                optimiser=section("optimiser", tensors),
                history=tuple(metadata["history"]),
            )
        except (KeyError, TypeError, ValueError):
            raise DamagedError("entries are missing or wrong", f"the {_KIND}") from None


def build_and_load(build: Callable[[], M], state: Mapping[str, Tensor], what: str) -> M:
    """A module with the parameters of an artifact; one that its configuration makes larger than these is not built.

    Raises:
        ZoogenError: names or shapes do not fit the module.
    """
    with torch.device("meta"):  # shapes without memory
        wanted = {name: tensor.shape for name, tensor in build().state_dict().items()}
    if wanted != {name: tensor.shape for name, tensor in state.items()}:
        raise ZoogenError(f"the {what} does not fit its configuration; make it again")
    module = build()
    load_module(module, state, what)
    return module


def load_module(module: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """`load_state_dict` with a one-line error.

    Raises:
        ZoogenError: names or shapes do not fit the module.
    """
    try:
        module.load_state_dict(dict(state))
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ZoogenError(f"the {what} does not fit its configuration ({reason:.200}); make it again") from None


def optimiser_tensors(optimiser: Optimizer) -> dict[str, Tensor]:
    """The state of an optimiser as tensors: moments by `<parameter index>.<moment>`, those of a list by
    `<parameter index>.<name>.<place>` (empty places as empty tensors), numbers by `<parameter index>.<name>.number`,
    and `group.step` where an optimiser counts the steps of all parameters together."""
    whole = optimiser.state_dict()
    tensors: dict[str, Tensor] = {}
    for index, moments in whole["state"].items():
        for name, value in moments.items():
            key = f"{index}.{name}"
            if isinstance(value, Tensor):
                tensors[key] = value
            elif isinstance(value, list):
                tensors |= {f"{key}.{place}": torch.as_tensor(part) for place, part in enumerate(value)}
            else:
                tensors[f"{key}.{_NUMBER}"] = torch.tensor(value, dtype=torch.float64)
    if "step" in whole["param_groups"][0]:
        tensors[_GROUP_STEP] = torch.tensor(whole["param_groups"][0]["step"])
    return tensors


def load_optimiser(optimiser: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimiser_tensors` took out of an optimiser of the same configuration."""
    groups = optimiser.state_dict()["param_groups"]
    state: dict[int, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        if key == _GROUP_STEP:
            groups = [{**group, "step": int(tensor)} for group in groups]
            continue
        index, name, *place = key.split(".")
        moments = state.setdefault(int(index), {})
        if not place:
            moments[name] = tensor
        elif place[0] == _NUMBER:
            moments[name] = tensor.item()
        else:
            moments.setdefault(name, {})[int(place[0])] = tensor
    for moments in state.values():
        for name, value in moments.items():
            if isinstance(value, dict):
                moments[name] = [value[place] for place in sorted(value)]
    optimiser.load_state_dict({"state": state, "param_groups": groups})
