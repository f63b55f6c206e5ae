"""The source of torchgfn environments of one's own, which names what is made with them."""

import hashlib
import importlib.util
import platform
import sys
from functools import lru_cache
from pathlib import Path

from zoogen.errors import ZoogenError
from zoogen.networks.classifiers.own_imports import is_of_library
from zoogen.networks.classifiers.own_statements import imported_files
from zoogen.tasks.torchgfn.environments import allowed


@lru_cache  # of the state that this process imports
def source_of(path: str) -> str | None:
    """SHA-256 over the source of a module of one's own that holds an environment (`module:Class`), and of the modules
    outside of installed packages that it imports; None for torchgfn's own and other installed ones."""
    module = path.partition(":")[0]
    if module.partition(".")[0] == "gfn" or path not in allowed():
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
