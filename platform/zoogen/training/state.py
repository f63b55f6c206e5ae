"""The state of a training between two iterations."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from zoogen.errors import DamagedError, ZoogenError
from zoogen.weights.packing import pack, prefixed, section, unpack

_KIND = "training state"


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
    """The moments of an optimiser by `<parameter index>.<moment>`."""
    state = optimiser.state_dict()["state"]
    return {f"{index}.{name}": tensor for index, moments in state.items() for name, tensor in moments.items()}


def load_optimiser(optimiser: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put moments made by `optimiser_tensors` back."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = tensor
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
