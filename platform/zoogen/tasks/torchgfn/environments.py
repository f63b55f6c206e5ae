"""From an import path and keyword arguments to a torchgfn environment.

A configuration may come from elsewhere (the manifest of a zoo), and an import path runs code: only
modules below `gfn.gym`, and those that the user of this machine allows, are imported.
"""

import hashlib
import importlib
import importlib.util
import json
import os
import platform
import re
import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoogen.errors import ZoogenError
from zoogen.networks.classifiers.own_imports import is_of_library
from zoogen.networks.classifiers.own_statements import imported_files

if TYPE_CHECKING:
    from gfn.env import DiscreteEnv

ALLOWED_VARIABLE = "ZOOGEN_TORCHGFN_ENVIRONMENTS"  # further module prefixes, separated by colons


def allowed_prefixes() -> tuple[str, ...]:
    """Modules, with everything below them, that environments may come from."""
    return ("gfn.gym", *(prefix for prefix in os.environ.get(ALLOWED_VARIABLE, "").split(":") if prefix))


def _is_allowed(module: str) -> bool:
    return any(module == prefix or module.startswith(prefix + ".") for prefix in allowed_prefixes())


@lru_cache  # of the state that this process imports
def source_of(path: str) -> str | None:
    """SHA-256 over the source of a module of one's own that holds an environment (`module:name`), and of the modules
    outside of installed packages that it imports; None for torchgfn's own and other installed ones."""
    module = path.partition(":")[0]
    if module.partition(".")[0] == "gfn" or not _is_allowed(module):
        return None
    sources = sorted(imported_files(_own_folder, Path(), f"import {module}".encode()))
    lines = [f"{name} {hashlib.sha256(file.read_bytes()).hexdigest()}" for name, file in sources]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest() if lines else None


def require_source(path: str, wanted: str | None) -> None:
    """Raises:
    ZoogenError: the module's source is not the one that artifacts are named by.
    """
    if (here := source_of(path)) != wanted:
        found, named = ((digest or "none")[:16] for digest in (here, wanted))
        raise ZoogenError(
            f"the source of environment {path} is {found} on {platform.node()}, but {named} is what these artifacts "
            "are named by; give all machines the same, then run the command again"
        )


def _own_folder(top: str) -> Path | None:
    if top in sys.stdlib_module_names or top in ("gfn", "zoogen"):
        return None
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin).resolve()
    return None if is_of_library(file) else file.parent.parent if file.name == "__init__.py" else file.parent


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
