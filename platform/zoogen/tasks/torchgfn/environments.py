"""From a name and keyword arguments to a torchgfn environment.

A configuration may come from elsewhere (a weights file, the manifest of a zoo), and calling what it names runs code:
environments are a list of names, and whatever stands behind one is checked to be an environment class before the call.
"""

import importlib
import json
import math
import os
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from zoogen.errors import ZoogenError
from zoogen.shown import clipped, shown

if TYPE_CHECKING:
    from gfn.env import DiscreteEnv

ALLOWED_VARIABLE = "ZOOGEN_TORCHGFN_ENVIRONMENTS"  # further names `module:Class`, separated by commas

# torchgfn's discrete environments that plain arguments make. Not among them are those that take callables, and the
# chip design, which starts a program that an argument names.
ENVIRONMENTS = (
    "gfn.gym.hypergrid:HyperGrid",
    "gfn.gym.hypergrid:ConditionalHyperGrid",
    "gfn.gym.discrete_ebm:DiscreteEBM",
    "gfn.gym.bitSequence:BitSequence",
    "gfn.gym.bitSequence:BitSequencePlus",
    "gfn.gym.bitSequenceNonAutoregressive:NonAutoregressiveBitSequence",
)
_SHORT = {f"gfn.gym:{name.partition(':')[2]}": name for name in ENVIRONMENTS}

_LONGEST_TEXT = 64
_LARGEST_PRODUCT = 50_000  # of the numbers of dimensions, heights, lengths, …: trajectories grow with it
_GROWING = ("calculate_partition", "store_all_states", "mode_stats")  # work and memory by the number of states


def allowed() -> tuple[str, ...]:
    """Names of environments, as `module:Class`."""
    own = os.environ.get(ALLOWED_VARIABLE, "").split(",")
    return (*ENVIRONMENTS, *(name.strip() for name in own if name.strip()))


def make_environment(path: str, arguments: dict[str, Any]) -> "DiscreteEnv":
    """The environment at `path` (`module:Class`) with keyword `arguments`; equal requests share one.

    Raises:
        ZoogenError: the path is malformed, not allowed or not there, what is there is no class of discrete
            environments, or the arguments do not fit.
    """
    return _make(path, json.dumps(arguments, sort_keys=True))


@lru_cache(maxsize=8)
def _make(path: str, arguments: str) -> "DiscreteEnv":
    environment = _environment_class(path)
    try:
        made: DiscreteEnv = environment(**json.loads(arguments))
    except Exception as error:  # whatever arguments of the wrong kind lead to
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ZoogenError(f"{path} does not accept {clipped(arguments)}: {clipped(reason)}") from None
    return made


def _environment_class(path: str) -> Any:
    if re.fullmatch(r"([A-Za-z_][\w.]*):([A-Za-z]\w*)", path) is None:
        raise ZoogenError(f"environment {path[:80]!r} is no name; write one such as gfn.gym.hypergrid:HyperGrid")
    full = _SHORT.get(path, path)
    if full not in allowed():
        known = ", ".join((*_SHORT, *allowed()[len(_SHORT) :]))
        raise ZoogenError(f"environment {path[:80]!r} is none of {known}; {ALLOWED_VARIABLE} names others")
    from gfn.env import DiscreteEnv

    module_name, _, name = full.partition(":")
    try:
        environment = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError):
        raise ZoogenError(
            f"there is no environment {shown(path)}; check the spelling and that it is installed"
        ) from None
    if not (isinstance(environment, type) and issubclass(environment, DiscreteEnv)):
        raise ZoogenError(f"{path} is no class of discrete environments; the torchgfn task trains discrete ones")
    return environment


def excess(path: str, arguments: Mapping[str, Any]) -> str:
    """What makes an environment more than a file from anywhere may ask for, empty if nothing does."""
    product = math.prod(
        value
        for name, value in arguments.items()
        if isinstance(value, int) and not isinstance(value, bool) and value > 1 and name != "seed"
    )
    if product > _LARGEST_PRODUCT:
        return f"{path} with sizes whose product exceeds {_LARGEST_PRODUCT:,}"
    for name, value in arguments.items():
        if name in _GROWING and value not in (False, None, "none"):
            return f"{path} with {name}"
        if not _is_plain(value):
            return f"{path} with an argument {name[:40]} that is no number or short name"
    return ""


def _is_plain(value: Any, depth: int = 0) -> bool:
    """Whether a JSON value is made of finite numbers and short names, which are no paths."""
    if isinstance(value, str):
        return re.fullmatch(r"[\w.-]*", value) is not None and len(value) <= _LONGEST_TEXT and ".." not in value
    if isinstance(value, Mapping | list):
        items = [*value, *value.values()] if isinstance(value, Mapping) else value
        return depth < 3 and len(items) <= 1_000 and all(_is_plain(item, depth + 1) for item in items)
    return value is None or (isinstance(value, int | float) and abs(value) < 1e12)
