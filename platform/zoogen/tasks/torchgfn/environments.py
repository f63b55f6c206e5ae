"""From an import path and keyword arguments to a torchgfn environment.

A configuration may come from elsewhere (the manifest of a zoo), and an import path runs code: only
modules below `gfn.gym`, and those that the user of this machine allows, are imported.
"""

import importlib
import json
import os
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from zoogen.errors import ZoogenError

if TYPE_CHECKING:
    from gfn.env import DiscreteEnv

ALLOWED_VARIABLE = "ZOOGEN_TORCHGFN_ENVIRONMENTS"  # further module prefixes, separated by colons


def allowed_prefixes() -> tuple[str, ...]:
    """Modules, with everything below them, that environments may come from."""
    return ("gfn.gym", *(prefix for prefix in os.environ.get(ALLOWED_VARIABLE, "").split(":") if prefix))


def _is_allowed(module: str) -> bool:
    return any(module == prefix or module.startswith(prefix + ".") for prefix in allowed_prefixes())


def make_environment(path: str, arguments: dict[str, Any]) -> "DiscreteEnv":
    """The environment at `path` (`module:name`) with keyword `arguments`; equal requests share one.

    Raises:
        ZoogenError: the path is malformed, not allowed or not there, the arguments do not fit, or the
            environment is not discrete.
    """
    return _make(path, json.dumps(arguments, sort_keys=True))


@lru_cache(maxsize=8)
def _make(path: str, arguments: str) -> "DiscreteEnv":
    factory = _factory(path)
    from gfn.env import DiscreteEnv

    try:
        environment = factory(**json.loads(arguments))
    except (TypeError, ValueError, AssertionError, RuntimeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ZoogenError(f"{path} does not accept {arguments}: {reason}") from None
    if not isinstance(environment, DiscreteEnv):
        raise ZoogenError(f"{path} is no discrete environment; the torchgfn task trains discrete ones")
    return environment


def _factory(path: str) -> Any:
    match = re.fullmatch(r"([A-Za-z_][\w.]*):([A-Za-z]\w*)", path)
    if match is None:
        raise ZoogenError(f"environment {path!r} is no import path; write one such as gfn.gym.hypergrid:HyperGrid")
    module_name, name = match.groups()
    refusal = (
        f"environment {path!r} lies outside {', '.join(allowed_prefixes())}; "
        f"to allow its module, name it in the variable {ALLOWED_VARIABLE}"
    )
    if not _is_allowed(module_name):
        raise ZoogenError(refusal)
    try:
        factory = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError):
        raise ZoogenError(f"there is no environment {path!r}; check the spelling and that it is installed") from None
    # what a module merely imports is not its environment
    if not callable(factory) or not _is_allowed(getattr(factory, "__module__", None) or ""):
        raise ZoogenError(refusal)
    return factory
